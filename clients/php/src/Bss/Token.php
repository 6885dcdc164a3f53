<?php

declare(strict_types=1);

namespace Bss;

/**
 * Tokens for the platform: JSON Web Tokens signed with HMAC-SHA256 by the CRM's own key (manage.py apiclient add).
 *
 * A token says who works with the CRM at this moment (sub), for which tenant, and in which roles; it lives for minutes.
 */
final class Token
{
    private const LIFETIME_S = 300;
    private const RENEWED_BEFORE_S = 60;

    private string $text = '';
    private int $expires = 0;

    /** @param list<string> $roles such as crm_agent */
    public function __construct(
        private readonly string $kid,
        #[\SensitiveParameter] private readonly string $secret,
        private readonly string $subject,
        private readonly array $roles,
        private readonly string $tenant = 'default',
        private readonly string $issuer = 'bss',
        private readonly string $audience = 'bss-api',
    ) {
    }

    /** A token that counts for some minutes yet. */
    public function text(): string
    {
        $now = time();
        if ($this->expires - $now < self::RENEWED_BEFORE_S) {
            $this->expires = $now + self::LIFETIME_S;
            $this->text = $this->signed([
                'iss' => $this->issuer,
                'aud' => $this->audience,
                'sub' => $this->subject,
                'tenant' => $this->tenant,
                'roles' => $this->roles,
                'iat' => $now,
                'exp' => $this->expires,
                'jti' => bin2hex(random_bytes(16)),
            ]);
        }
        return $this->text;
    }

    /** @param array<string, mixed> $claims */
    private function signed(array $claims): string
    {
        $header = ['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $this->kid];
        $text = self::base64url(json_encode($header, JSON_THROW_ON_ERROR)) . '.'
            . self::base64url(json_encode($claims, JSON_THROW_ON_ERROR));
        return $text . '.' . self::base64url(hash_hmac('sha256', $text, $this->secret, true));
    }

    private static function base64url(string $octets): string
    {
        return rtrim(strtr(base64_encode($octets), '+/', '-_'), '=');
    }
}
