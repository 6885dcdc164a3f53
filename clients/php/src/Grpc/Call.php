<?php

declare(strict_types=1);

namespace Grpc;

/** One call over HTTP/2: a request message out, response messages and a status back. */
abstract class Call
{
    private const PREFIX = 5;

    private readonly \CurlHandle $handle;
    private string $received = '';
    private int $read = 0;
    /** @var list<array<string, list<string>>> headers, then trailers */
    private array $blocks = [];
    private bool $between = true;
    private ?object $status = null;

    /**
     * @param array{0: class-string, 1: string} $deserialize
     * @param array<string, string|list<string>> $metadata
     * @param array<string, mixed> $options timeout: microseconds from now to the deadline
     */
    public function __construct(
        private readonly Channel $channel,
        string $method,
        private readonly array $deserialize,
        \Google\Protobuf\Internal\Message $argument,
        array $metadata,
        array $options,
    ) {
        $body = $argument->serializeToString();
        $headers = [
            'content-type: application/grpc',
            'te: trailers',
            'grpc-accept-encoding: identity',
            'user-agent: bss-php/1 curl',
            'expect:',
        ];
        $this->handle = curl_init();
        if (isset($options['timeout'])) {
            $microseconds = max(1, (int) $options['timeout']);
            // At most eight digits: milliseconds once microseconds would have more.
            $headers[] = 'grpc-timeout: '
                . ($microseconds < 100_000_000 ? "{$microseconds}u" : intdiv($microseconds, 1000) . 'm');
            curl_setopt($this->handle, CURLOPT_TIMEOUT_MS, max(1, intdiv($microseconds, 1000)));
        }
        foreach ($metadata as $name => $values) {
            if (preg_match('/^[0-9a-z_.-]+$/', (string) $name) !== 1) {
                throw new \InvalidArgumentException("“{$name}” is not a name of metadata; use lower case letters.");
            }
            foreach ((array) $values as $value) {
                if (str_ends_with((string) $name, '-bin')) {
                    $value = base64_encode($value);
                } elseif (preg_match('/^[\x20-\x7e]*$/', $value) !== 1) {
                    throw new \InvalidArgumentException("The metadata “{$name}” must be printable ASCII.");
                }
                $headers[] = "$name: $value";
            }
        }
        // Not held by its own handle: a call that nobody reads any more ends.
        $self = \WeakReference::create($this);
        curl_setopt_array($this->handle, [
            CURLOPT_POST => true,
            CURLOPT_POSTFIELDS => "\0" . pack('N', strlen($body)) . $body,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_HEADERFUNCTION => static fn ($_, string $line): int => $self->get()?->header($line) ?? 0,
            CURLOPT_WRITEFUNCTION => static fn ($_, string $data): int => $self->get()?->body($data) ?? 0,
        ]);
        $channel->begin($this, $this->handle, $method);
    }

    public function __destruct()
    {
        $this->cancel();
    }

    /** Give the call up; the server is told and stops working on it. */
    public function cancel(): void
    {
        if ($this->status === null) {
            $this->channel->remove($this->handle);
            $this->finish(STATUS_CANCELLED, 'the call was cancelled by its caller');
        }
    }

    /** @return array<string, list<string>> what the server sent before its messages */
    public function getMetadata(): array
    {
        while (!($this->blocks !== [] && $this->between) && $this->status === null) {
            $this->channel->drive();
        }
        return $this->blocks[0] ?? [];
    }

    /** @return array<string, list<string>> what it sent after them */
    public function getTrailingMetadata(): array
    {
        return $this->status?->metadata ?? [];
    }

    /** Called by the channel: curl has ended, well or not. */
    public function ended(int $result, string $error): void
    {
        $last = end($this->blocks) ?: [];
        if ($this->status !== null) {
            return;
        }
        if (isset($last['grpc-status'])) {
            $this->finish((int) $last['grpc-status'][0], rawurldecode($last['grpc-message'][0] ?? ''), $last);
        } elseif ($result === CURLE_OPERATION_TIMEDOUT) {
            $this->finish(STATUS_DEADLINE_EXCEEDED, 'the deadline passed without an answer');
        } elseif ($result !== CURLE_OK) {
            $this->finish(STATUS_UNAVAILABLE, $error);
        } else {
            $http = curl_getinfo($this->handle, CURLINFO_RESPONSE_CODE);
            $code = match ($http) {
                401 => STATUS_UNAUTHENTICATED,
                403 => STATUS_PERMISSION_DENIED,
                404 => STATUS_UNIMPLEMENTED,
                429, 502, 503, 504 => STATUS_UNAVAILABLE,
                default => STATUS_UNKNOWN,
            };
            $this->finish($code, "the server answered HTTP $http without a gRPC status");
        }
    }

    /** The next message, or null once there is none. */
    protected function next(): ?object
    {
        while (true) {
            $message = $this->message();
            if ($message !== null || $this->status !== null) {
                return $message;
            }
            $this->channel->drive();
        }
    }

    /** The status, once there is one. */
    protected function status(): object
    {
        while ($this->status === null) {
            $this->channel->drive();
        }
        return $this->status;
    }

    private function message(): ?object
    {
        if (strlen($this->received) - $this->read < self::PREFIX) {
            return null;
        }
        ['flag' => $flag, 'length' => $length] = unpack('Cflag/Nlength', $this->received, $this->read);
        if ($flag !== 0 || $length > $this->channel->maxReceive) {
            $wrong = $flag !== 0
                ? [STATUS_INTERNAL, 'the server sent a compressed message, which was not asked for']
                : [STATUS_RESOURCE_EXHAUSTED, "a message of $length octets is larger than {$this->channel->maxReceive}"];
            $this->channel->remove($this->handle);
            $this->received = '';
            $this->read = 0;
            $this->finish(...$wrong);
            return null;
        }
        if (strlen($this->received) - $this->read < self::PREFIX + $length) {
            return null;
        }
        $octets = substr($this->received, $this->read + self::PREFIX, $length);
        $this->read += self::PREFIX + $length;
        // What is read is dropped once it is much, rather than copied after every message.
        if ($this->read > 65_536 || $this->read === strlen($this->received)) {
            $this->received = substr($this->received, $this->read);
            $this->read = 0;
        }
        $message = new $this->deserialize[0]();
        $message->mergeFromString($octets);
        return $message;
    }

    private function body(string $data): int
    {
        $this->received .= $data;
        return strlen($data);
    }

    private function header(string $line): int
    {
        $text = rtrim($line, "\r\n");
        if ($text === '') {
            $this->between = true;
        } elseif (str_starts_with($text, 'HTTP/')) {
            $this->blocks[] = [];
            $this->between = false;
        } elseif (str_contains($text, ':')) {
            // Trailers come without a line of their own in front of them.
            if ($this->between) {
                $this->blocks[] = [];
                $this->between = false;
            }
            [$name, $value] = explode(':', $text, 2);
            $name = strtolower(trim($name));
            $value = ltrim($value);
            if (str_ends_with($name, '-bin')) {
                $value = base64_decode($value);
            }
            $this->blocks[count($this->blocks) - 1][$name][] = $value;
        }
        return strlen($line);
    }

    /** @param array<string, list<string>> $metadata */
    private function finish(int $code, string $details, array $metadata = []): void
    {
        $this->status = (object) ['code' => $code, 'details' => $details, 'metadata' => $metadata];
    }
}
