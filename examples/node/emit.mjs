// Emits a job with one client over HTTP, in batches and single events, each sent again until the gateway has it. Needs Node 18, no packages.
//
//   GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_TOKEN=rt_… node examples/node/emit.mjs 250930-141522 10000
//
// An event has the same source and id at each try, so it counts once, also when the answer to the first try was lost.

const [run, count] = [process.argv[2], Number(process.argv[3])];
const url = `${process.env.GATEWAY_URL}/v1/events`;
const BATCH_EVENTS = 50;
const AT_A_TIME = 4;
const PATIENCE_MS = 120_000;
const WORTH_RETRYING = [408, 429, 500, 502, 503, 504];

let sent = 0;
let retries = 0;

function event(id, type, subject, data) {
  return { specversion: "1.0", id, source: "/examples/node", type, subject, time: new Date().toISOString(), data };
}

/** Resolves once the log has `body`, one event or an array of them. Rejects for what is refused for good, and after two minutes. */
async function send(body) {
  const headers = {
    Authorization: `Bearer ${process.env.GATEWAY_TOKEN}`,
    "Content-Type": Array.isArray(body) ? "application/cloudevents-batch+json" : "application/cloudevents+json",
  };
  const until = Date.now() + PATIENCE_MS;
  for (let attempt = 0; ; attempt++) {
    const request = { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
    const answer = await fetch(url, request).catch((error) => ({ status: 0, error }));
    if (answer.status === 202) {
      await answer.text();
      return;
    }
    const detail = answer.error ? String(answer.error.cause ?? answer.error) : await answer.text().catch(() => "");
    if ((answer.status && !WORTH_RETRYING.includes(answer.status)) || Date.now() > until) {
      throw new Error(`${answer.status} ${detail}`);
    }
    retries++;
    await pause(answer.headers?.get("retry-after"), attempt);
  }
}

/** As long as the gateway asks for, else longer each time, to 5 s; spread out, so that senders do not come back all at once. */
function pause(retryAfter, attempt) {
  const seconds = Number(retryAfter) || Math.min(5, 0.1 * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000 * (1 + Math.random() / 4)));
}

/** Every tenth request carries a single event, the others a batch. */
function* requests() {
  for (let number = 0, request = 0; number < count; request++) {
    const size = request % 10 === 9 ? 1 : Math.min(BATCH_EVENTS, count - number);
    const events = Array.from({ length: size }, (_, place) =>
      event(`lead-${number + place}`, "client.metrics.updated", `${run}-node`, { metrics: { leads_processed: 1 } }),
    );
    number += size;
    yield events;
  }
}

async function sendAll(waiting) {
  for (const events of waiting) {
    await send(events.length === 1 ? events[0] : events);
    sent += events.length;
    console.log(JSON.stringify({ sent }));
  }
}

await send(event("job-started", "job.started", run, { job_type: "node_example" }));
await send(event("client-started", "client.run.started", `${run}-node`, { client_name: "Node" }));
const waiting = requests();
await Promise.all(Array.from({ length: AT_A_TIME }, () => sendAll(waiting)));
await send(event("client-completed", "client.run.completed", `${run}-node`, { success: true }));
await send(event("job-completed", "job.completed", run, { success: true }));
console.log(JSON.stringify({ sent, retries, done: true }));
