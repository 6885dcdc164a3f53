<?php

declare(strict_types=1);

// What the generated PHP client does, as JSON: php calls.php SCENARIO, with an object of settings on standard input.

use Billing\Balance;
use Billing\CRMServiceClient;
use Billing\Customer;
use Billing\GetRefDataRequest;
use Billing\GetSubscriberBillRequest;
use Billing\GetSubscriberRequest;
use Billing\GetSubscribersRequest;
use Billing\Resource;
use Billing\Subscriber;
use Billing\SuspendSubscriberRequest;
use Billing\TerminateSubscriberRequest;
use Bss\Crm;
use Bss\CrmError;
use Bss\Token;
use Grpc\ChannelCredentials;

require __DIR__ . '/../../../clients/php/autoload.php';

$settings = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);

/** @param array<string, mixed> $more further options of the channel */
function connect(array $more = [], ?string $token = null): CRMServiceClient
{
    global $settings;
    $token ??= $settings['token'];
    return new CRMServiceClient($settings['target'], $more + [
        'credentials' => ChannelCredentials::createSsl(file_get_contents($settings['authority'])),
        'update_metadata' => static fn (array $metadata): array => $token === ''
            ? $metadata
            : $metadata + ['authorization' => ["Bearer $token"]],
    ]);
}

/** @param array<string, mixed> $said plain values; the library wants a message for each part */
function new_subscriber(array $said): Subscriber
{
    return new Subscriber([
        'customer' => new Customer($said['customer']),
        'resource' => new Resource($said['resource']),
        'balance' => new Balance($said['balance']),
    ] + $said);
}

/** @return array<string, mixed> */
function outcome(object $call): array
{
    [$answer, $status] = $call->wait();
    $error = $status->code === Grpc\STATUS_OK ? null : CrmError::of($status);
    return [
        'code' => $status->code,
        'reason' => $error?->reason,
        'fields' => $error?->fields,
        'retry_after_s' => $error?->retryAfterS,
        'answer' => $answer === null ? null : json_decode($answer->serializeToJsonString(), true),
    ];
}

function surface(): array
{
    global $settings;
    $client = connect();
    $new = new_subscriber($settings['subscriber']);
    $created = outcome($client->CreateSubscriber($new, ['idempotency-key' => ['php-1']]));
    $again = outcome($client->CreateSubscriber($new, ['idempotency-key' => ['php-1']]));
    // Two streams over one connection, read turn by turn, and a unary call in between.
    $one = $client->GetSubscribers(new GetSubscribersRequest())->responses();
    $other = $client->GetSubscribers(new GetSubscribersRequest(['limit' => 7]))->responses();
    $counts = [0, 0];
    for (; $one->valid(); $one->next()) {
        $counts[0]++;
        if ($other->valid()) {
            $counts[1]++;
            $other->next();
        }
        if ($counts[0] === 3) {
            $between = outcome($client->GetSubscriber(new GetSubscriberRequest(['msisdn' => $settings['msisdn']])));
        }
    }
    $cut = $client->GetSubscribers(new GetSubscribersRequest());
    foreach ($cut->responses() as $_) {
        $cut->cancel();
        break;
    }
    $crm = new Crm($client);
    $redeemed = $crm->topUp($settings['msisdn'], $settings['pin'], 'php-voucher');
    $repeated = $crm->topUp($settings['msisdn'], $settings['pin'], 'php-voucher');
    return [
        'created' => $created,
        'repeated' => $again['answer']['id'] === $created['answer']['id'],
        'counts' => $counts,
        'between' => $between,
        'cut' => $cut->getStatus()->code,
        'balance_micros' => $redeemed->getBalanceMicros(),
        'voucher_repeated' => $repeated->getRepeated(),
    ];
}

function errors(): array
{
    global $settings;
    $client = connect();
    $ask = new GetRefDataRequest();
    [$header, $claims, $signature] = explode('.', $settings['token']);
    $none = rtrim(strtr(base64_encode('{"alg":"none","typ":"JWT"}'), '+/', '-_'), '=');
    $stranger = new Token('platform', str_repeat('x', 40), 'eve', ['admin']);
    $other = ChannelCredentials::createSsl(file_get_contents($settings['otherAuthority']));
    return [
        'no_token' => outcome(connect([], '')->GetRefData($ask)),
        'alg_none' => outcome(connect([], "$none.$claims.")->GetRefData($ask)),
        'other_key' => outcome(connect([], $stranger->text())->GetRefData($ask)),
        'missing' => outcome($client->GetSubscriber(new GetSubscriberRequest(['id' => PHP_INT_MAX]))),
        'invalid' => outcome($client->CreateSubscriber(new Subscriber(), ['idempotency-key' => ['empty']])),
        'both_named' => outcome($client->GetSubscriber(new GetSubscriberRequest(['id' => 1, 'msisdn' => '1']))),
        'untrusted' => outcome(connect(['credentials' => $other])->GetRefData($ask)),
        'nobody_there' => outcome(
            (new CRMServiceClient('127.0.0.1:1', ['credentials' => $other]))->GetRefData($ask, [], ['timeout' => 2_000_000])
        ),
        'too_large' => outcome(connect(['grpc.max_receive_message_length' => 100])->GetRefData($ask)),
    ];
}

/** With the subscriber's row locked by the test: too late, then, sent again under its key, done once. */
function too_late(): array
{
    global $settings;
    $ask = new SuspendSubscriberRequest(['msisdn' => $settings['msisdn']]);
    return [
        'late' => outcome(connect()->SuspendSubscriber($ask, ['idempotency-key' => ['s']], ['timeout' => 700_000])),
    ];
}

function again(): array
{
    global $settings;
    $ask = new SuspendSubscriberRequest(['msisdn' => $settings['msisdn']]);
    return ['done' => outcome(connect()->SuspendSubscriber($ask, ['idempotency-key' => ['s']], ['timeout' => 30_000_000]))];
}

/** What the journey through all doors asks, one thing at a time. */
function create(): array
{
    global $settings;
    return outcome(connect()->CreateSubscriber(
        new_subscriber($settings['subscriber']), ['idempotency-key' => ['journey']]
    ));
}

function show(): array
{
    global $settings;
    return outcome(connect()->GetSubscriber(new GetSubscriberRequest(['id' => $settings['id']])));
}

function terminate(): array
{
    global $settings;
    return outcome(connect()->TerminateSubscriber(
        new TerminateSubscriberRequest(['id' => $settings['id']]), ['idempotency-key' => ['the-end']]
    ));
}

function bill(): array
{
    global $settings;
    return outcome(connect()->GetSubscriberBill(new GetSubscriberBillRequest(['id' => $settings['id']])));
}

echo json_encode(($argv[1])(), JSON_THROW_ON_ERROR);
