// What a client on Node's @grpc/grpc-js does, as JSON: node calls.mjs SCENARIO, with an object of settings on standard input.
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const settings = JSON.parse(readFileSync(0, "utf8"));
const definition = loadSync(["crm.proto"], {
  includeDirs: [settings.proto],
  // A 64-bit number does not fit a JavaScript number: as text nothing is lost.
  longs: String,
  enums: String,
  defaults: true,
  keepCase: true,
});
const { CRMService } = grpc.loadPackageDefinition(definition).billing;

function connect(token = settings.token, authority = readFileSync(settings.authority)) {
  const tls = grpc.credentials.createSsl(authority);
  const signed = grpc.credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    done(null, metadata);
  });
  return new CRMService(settings.target, grpc.credentials.combineChannelCredentials(tls, signed));
}

function call(client, rpc, request, { key, deadlineMs = 30_000 } = {}) {
  const metadata = new grpc.Metadata();
  if (key) metadata.set("idempotency-key", key);
  return new Promise((resolve) => {
    client[rpc](request, metadata, { deadline: Date.now() + deadlineMs }, (error, answer) => {
      resolve(error ? { code: error.code, details: error.details } : { code: 0, answer });
    });
  });
}

function stream(client, rpc, request, most = Infinity) {
  return new Promise((resolve) => {
    const messages = [];
    const reading = client[rpc](request);
    reading.on("data", (message) => {
      messages.push(message);
      if (messages.length === most) reading.cancel();
    });
    reading.on("error", (error) => resolve({ code: error.code, messages }));
    reading.on("end", () => resolve({ code: 0, messages }));
  });
}

const scenarios = {
  async surface() {
    const client = connect();
    const created = await call(client, "CreateSubscriber", settings.subscriber, { key: "node-1" });
    const again = await call(client, "CreateSubscriber", settings.subscriber, { key: "node-1" });
    const lists = await Promise.all(
      Array.from({ length: 20 }, () => stream(client, "GetSubscribers", {})),
    );
    return {
      created,
      repeated: again.answer?.id === created.answer?.id,
      redeemed: await call(client, "RedeemVoucher", { msisdn: settings.msisdn, pin: settings.pin }, { key: "v" }),
      found: await call(client, "GetSubscriber", { msisdn: settings.msisdn }),
      counts: lists.map((list) => list.messages.length),
      cut: (await stream(client, "GetSubscribers", {}, 2)).code,
    };
  },

  async errors() {
    const client = connect();
    return {
      missing: (await call(client, "GetSubscriber", { id: "9223372036854775807" })).code,
      invalid: (await call(client, "GetSubscriber", {})).code,
      forged: (await call(connect(`${settings.token.slice(0, -4)}AAAA`), "GetRefData", {})).code,
      late: (await call(client, "GetRefData", {}, { deadlineMs: -1 })).code,
      untrusted: (
        await call(connect(settings.token, readFileSync(settings.otherAuthority)), "GetRefData", {}, { deadlineMs: 3000 })
      ).code,
    };
  },
};

const result = await scenarios[process.argv[2]]();
process.stdout.write(JSON.stringify(result));
// Connections that are still open would keep the process alive.
process.exit(0);
