<?php

declare(strict_types=1);

namespace Grpc;

/** A call with as many answers as the server has; each is received when it is asked for. */
final class ServerStreamingCall extends Call
{
    /** @return \Generator<object> */
    public function responses(): \Generator
    {
        while (($message = $this->next()) !== null) {
            yield $message;
        }
    }

    /** How it ended: code, details, metadata. */
    public function getStatus(): object
    {
        return $this->status();
    }
}
