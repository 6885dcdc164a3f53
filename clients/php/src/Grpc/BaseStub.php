<?php

declare(strict_types=1);

namespace Grpc;

/** What generated clients extend: unary calls and streams from the server. */
class BaseStub
{
    private readonly Channel $channel;
    /** @var ?callable(array<string, mixed>, string): array<string, mixed> */
    private $updateMetadata;

    /** @param array<string, mixed> $opts credentials; update_metadata: called with each call's metadata */
    public function __construct(private readonly string $hostname, array $opts, ?Channel $channel = null)
    {
        $this->updateMetadata = $opts['update_metadata'] ?? null;
        unset($opts['update_metadata']);
        $this->channel = $channel ?? new Channel($hostname, $opts);
    }

    public function getTarget(): string
    {
        return $this->channel->getTarget();
    }

    public function close(): void
    {
        $this->channel->close();
    }

    protected function _simpleRequest($method, $argument, $deserialize, array $metadata = [], array $options = [])
    {
        return new UnaryCall($this->channel, $method, $deserialize, $argument, $this->updated($metadata), $options);
    }

    protected function _serverStreamRequest($method, $argument, $deserialize, array $metadata = [], array $options = [])
    {
        return new ServerStreamingCall(
            $this->channel, $method, $deserialize, $argument, $this->updated($metadata), $options
        );
    }

    /**
     * @param array<string, mixed> $metadata
     * @return array<string, mixed>
     */
    private function updated(array $metadata): array
    {
        return $this->updateMetadata === null
            ? $metadata
            : ($this->updateMetadata)($metadata, "https://{$this->hostname}/billing.CRMService");
    }
}
