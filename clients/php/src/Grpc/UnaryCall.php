<?php

declare(strict_types=1);

namespace Grpc;

/** A call with one answer. */
final class UnaryCall extends Call
{
    /** @return array{0: ?object, 1: object} the answer (null where it failed) and the status: code, details, metadata */
    public function wait(): array
    {
        $message = $this->next();
        $status = $this->status();
        return [$status->code === STATUS_OK ? $message : null, $status];
    }
}
