<?php

declare(strict_types=1);

namespace Grpc;

/**
 * A server and the connections to it, which calls share: HTTP/2 by curl.
 *
 * Stands in for the class of the same name where PHP's grpc extension is not installed (Debian has none).
 */
final class Channel
{
    public const DEFAULT_MAX_RECEIVE = 4 * 1024 * 1024;

    public readonly int $maxReceive;
    private readonly ?ChannelCredentials $credentials;
    private readonly \CurlMultiHandle $multi;
    /** @var array<int, \WeakReference<Call>> by the id of their curl handle */
    private array $calls = [];

    /** @param array<string, mixed> $options credentials, grpc.max_receive_message_length */
    public function __construct(private readonly string $target, array $options = [])
    {
        if (!array_key_exists('credentials', $options)) {
            throw new \InvalidArgumentException(
                'Give the option credentials: ChannelCredentials::createSsl(…), or createInsecure() for plaintext.'
            );
        }
        $this->credentials = $options['credentials'];
        $this->maxReceive = $options['grpc.max_receive_message_length'] ?? self::DEFAULT_MAX_RECEIVE;
        $this->multi = curl_multi_init();
    }

    public function getTarget(): string
    {
        return $this->target;
    }

    public function close(): void
    {
        foreach ($this->calls as $call) {
            $call->get()?->cancel();
        }
    }

    /** Begin a call; its handle has everything but the address and TLS. */
    public function begin(Call $call, \CurlHandle $handle, string $method): void
    {
        $scheme = $this->credentials === null ? 'http' : 'https';
        $options = [CURLOPT_URL => "$scheme://{$this->target}$method", CURLOPT_PROXY => ''];
        if ($this->credentials === null) {
            // curl cannot use a plaintext HTTP/2 connection a second time.
            $options += [
                CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
                CURLOPT_FRESH_CONNECT => true,
                CURLOPT_FORBID_REUSE => true,
            ];
        } else {
            $options += [
                CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_2TLS,
                CURLOPT_SSLVERSION => CURL_SSLVERSION_TLSv1_2,
                CURLOPT_SSL_VERIFYPEER => true,
                CURLOPT_SSL_VERIFYHOST => 2,
            ];
            if ($this->credentials->rootCertificates !== null) {
                $options[CURLOPT_CAINFO_BLOB] = $this->credentials->rootCertificates;
            }
            if ($this->credentials->certificateChain !== null) {
                $options[CURLOPT_SSLCERT_BLOB] = $this->credentials->certificateChain;
                $options[CURLOPT_SSLKEY_BLOB] = $this->credentials->privateKey;
            }
        }
        curl_setopt_array($handle, $options);
        $this->calls[spl_object_id($handle)] = \WeakReference::create($call);
        curl_multi_add_handle($this->multi, $handle);
    }

    /** Send and receive what there is, for all calls; waits until something happens. */
    public function drive(): void
    {
        curl_multi_exec($this->multi, $running);
        $ended = $this->collect();
        if (!$ended && $running && curl_multi_select($this->multi, 1.0) === -1) {
            usleep(1000);
        }
    }

    public function remove(\CurlHandle $handle): void
    {
        unset($this->calls[spl_object_id($handle)]);
        curl_multi_remove_handle($this->multi, $handle);
    }

    private function collect(): bool
    {
        $ended = false;
        while (($message = curl_multi_info_read($this->multi)) !== false) {
            $handle = $message['handle'];
            $call = ($this->calls[spl_object_id($handle)] ?? null)?->get();
            $this->remove($handle);
            $call?->ended($message['result'], curl_error($handle));
            $ended = true;
        }
        return $ended;
    }
}
