<?php

declare(strict_types=1);

namespace Grpc;

/** Whom the client trusts, and who it is itself with mutual TLS; all of them PEM texts. */
final class ChannelCredentials
{
    private function __construct(
        public readonly ?string $rootCertificates,
        public readonly ?string $privateKey,
        public readonly ?string $certificateChain,
    ) {
    }

    /** TLS; without root certificates those of the system are trusted. */
    public static function createSsl(
        ?string $rootCertificates = null,
        ?string $privateKey = null,
        ?string $certificateChain = null,
    ): self {
        return new self($rootCertificates, $privateKey, $certificateChain);
    }

    /** Plaintext: only where something in front of the server does TLS. */
    public static function createInsecure(): ?self
    {
        return null;
    }
}
