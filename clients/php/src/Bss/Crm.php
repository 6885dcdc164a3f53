<?php

declare(strict_types=1);

namespace Bss;

use Billing\CRMServiceClient;
use Billing\GetSubscriberBillRequest;
use Billing\GetSubscriberBillResponse;
use Billing\GetSubscriberBillsRequest;
use Billing\GetSubscriberRequest;
use Billing\GetSubscriberUsageRequest;
use Billing\RedeemVoucherRequest;
use Billing\RedeemVoucherResponse;
use Billing\Subscriber;
use Google\Protobuf\Internal\Message;
use Grpc\ChannelCredentials;

/**
 * What a CRM does with the platform, over the generated client: calls with a deadline, sent again where that helps.
 *
 * Whatever changes something carries an idempotency key: sent again after a lost answer it is done once.
 */
final class Crm
{
    private const MOST_TRIES = 4;

    public function __construct(public readonly CRMServiceClient $client, private readonly float $deadlineS = 10.0)
    {
    }

    /**
     * A client of the server at $target (host:port), which has to show a certificate of $authority (PEM).
     *
     * @param Token|string $token what signs a token for each call, or a token as it is
     */
    public static function connect(
        string $target,
        string $authority,
        #[\SensitiveParameter] Token|string $token,
        float $deadlineS = 10.0,
    ): self {
        $client = new CRMServiceClient($target, [
            'credentials' => ChannelCredentials::createSsl($authority),
            'update_metadata' => static fn (array $metadata): array => $metadata + [
                'authorization' => ['Bearer ' . ($token instanceof Token ? $token->text() : $token)],
            ],
        ]);
        return new self($client, $deadlineS);
    }

    /** Creates the subscriber with everything in the message: all or nothing. */
    public function createSubscriber(Subscriber $new, string $key): Subscriber
    {
        return $this->once('CreateSubscriber', $new, $key);
    }

    public function subscriber(string $msisdn): Subscriber
    {
        return $this->ask('GetSubscriber', new GetSubscriberRequest(['msisdn' => $msisdn]));
    }

    /** Credits the account that pays for the number with a voucher; $key names this top-up. */
    public function topUp(string $msisdn, #[\SensitiveParameter] string $pin, string $key): RedeemVoucherResponse
    {
        return $this->once('RedeemVoucher', new RedeemVoucherRequest(['msisdn' => $msisdn, 'pin' => $pin]), $key);
    }

    /** @return \Generator<\Billing\RatedUsage> oldest first, received as it is read; of the last months unless told */
    public function usage(string $msisdn, int $start = 0, int $end = 0): \Generator
    {
        return $this->each('GetSubscriberUsage', new GetSubscriberUsageRequest([
            'msisdn' => $msisdn, 'start' => $start, 'end' => $end,
        ]));
    }

    /** @return \Generator<\Billing\Bill> newest first, without lines */
    public function bills(string $msisdn): \Generator
    {
        return $this->each('GetSubscriberBills', new GetSubscriberBillsRequest(['msisdn' => $msisdn]));
    }

    /** The newest bill of the number's account, with its lines; with its PDF if asked for. */
    public function bill(string $msisdn, bool $withDocument = false): GetSubscriberBillResponse
    {
        return $this->ask('GetSubscriberBill', new GetSubscriberBillRequest([
            'msisdn' => $msisdn, 'with_document' => $withDocument,
        ]));
    }

    /** Ask; again where the server says that it may pass. */
    public function ask(string $rpc, Message $request): Message
    {
        return $this->send($rpc, $request, []);
    }

    /** Have something done once, however often it has to be sent; $key names it. */
    public function once(string $rpc, Message $request, string $key): Message
    {
        return $this->send($rpc, $request, ['idempotency-key' => [$key]]);
    }

    /** @return \Generator<Message> */
    public function each(string $rpc, Message $request): \Generator
    {
        $call = $this->client->$rpc($request);
        yield from $call->responses();
        $status = $call->getStatus();
        if ($status->code !== \Grpc\STATUS_OK) {
            throw CrmError::of($status);
        }
    }

    /** @param array<string, list<string>> $metadata */
    private function send(string $rpc, Message $request, array $metadata): Message
    {
        for ($try = 1; ; $try++) {
            $options = ['timeout' => (int) ($this->deadlineS * 1e6)];
            [$answer, $status] = $this->client->$rpc($request, $metadata, $options)->wait();
            if ($status->code === \Grpc\STATUS_OK) {
                return $answer;
            }
            $error = CrmError::of($status);
            if (!$error->isPassing() || $try === self::MOST_TRIES) {
                throw $error;
            }
            usleep((int) (($error->retryAfterS ?? 0.1 * 2 ** $try) * 1e6));
        }
    }
}
