<?php

declare(strict_types=1);

namespace Bss;

use Bss\Rpc\BadRequest;
use Bss\Rpc\ErrorInfo;
use Bss\Rpc\RetryInfo;
use Bss\Rpc\Status;

/** A call that was refused or did not go through: the gRPC code, a stable reason, wrong fields, when to try again. */
final class CrmError extends \RuntimeException
{
    /** @param array<string, string> $fields what is wrong with each field of the request */
    private function __construct(
        public readonly int $status,
        string $message,
        public readonly string $reason,
        public readonly array $fields,
        public readonly ?float $retryAfterS,
    ) {
        parent::__construct($message, $status);
    }

    /** @param object $status code, details and metadata, as calls end with */
    public static function of(object $status): self
    {
        $reason = '';
        $fields = [];
        $retryAfterS = null;
        foreach (self::details($status->metadata['grpc-status-details-bin'][0] ?? '') as $detail) {
            if ($detail instanceof ErrorInfo) {
                $reason = $detail->getReason();
            } elseif ($detail instanceof BadRequest) {
                foreach ($detail->getFieldViolations() as $violation) {
                    $fields[$violation->getField()] = $violation->getDescription();
                }
            } elseif ($detail instanceof RetryInfo) {
                $delay = $detail->getRetryDelay();
                $retryAfterS = $delay->getSeconds() + $delay->getNanos() / 1e9;
            }
        }
        return new self($status->code, $status->details, $reason, $fields, $retryAfterS);
    }

    /** Whether the same call may go through when it is sent again. */
    public function isPassing(): bool
    {
        return $this->status === \Grpc\STATUS_UNAVAILABLE
            || ($this->status === \Grpc\STATUS_RESOURCE_EXHAUSTED && $this->reason === 'too_many_calls');
    }

    /** @return list<object> the details that this client knows */
    private static function details(string $octets): array
    {
        if ($octets === '') {
            return [];
        }
        // The messages of this file become known to Any with its first use.
        \Bss\Rpc\Metadata\Errors::initOnce();
        $status = new Status();
        $status->mergeFromString($octets);
        $found = [];
        foreach ($status->getDetails() as $any) {
            $name = substr($any->getTypeUrl(), strrpos($any->getTypeUrl(), '/') + 1);
            if (in_array($name, ['google.rpc.ErrorInfo', 'google.rpc.BadRequest', 'google.rpc.RetryInfo'], true)) {
                $found[] = $any->unpack();
            }
        }
        return $found;
    }
}
