// Calls of npm's openai, each by its name: what came of it, as JSON, as client_calls.py has it.
//
//     NODE_PATH=FOLDER/node_modules node client_calls.mjs URL KEY MODEL EMBEDDER

import assert from "node:assert";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_PATH, "_"));
const OpenAI = require("openai").default;
const [url, key, model, embedder] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
const messages = [{ role: "user", content: "Hi" }];
const short = { model, messages, max_tokens: 8 };
const schema = {
  type: "object",
  properties: { a: { enum: ["x", "y"] } },
  required: ["a"],
  additionalProperties: false,
};
const tool = { type: "function", function: { name: "look", parameters: schema } };
const chat = client.chat.completions;

async function all(stream) {
  const found = [];
  for await (const each of await stream) found.push(each);
  assert(found.length > 0);
  return found;
}

async function streamedCall() {
  const chunks = await all(
    chat.create({ ...short, max_tokens: 100, tools: [tool], tool_choice: "required", stream: true }),
  );
  const calls = chunks.flatMap((each) => each.choices[0]?.delta.tool_calls ?? []);
  assert("xy".includes(JSON.parse(calls.map((each) => each.function.arguments ?? "").join("")).a));
}

async function parsed() {
  const format = { type: "json_schema", json_schema: { name: "a", schema, strict: true } };
  const found = await chat.parse({ ...short, max_tokens: 100, response_format: format });
  assert("xy".includes(found.choices[0].message.parsed.a));
}

async function runner() {
  const found = chat.stream({ ...short });
  assert((await found.finalChatCompletion()).choices.length === 1);
}

async function itemStream() {
  const events = await all(
    client.responses.create({ model, input: "Hi", max_output_tokens: 16, stream: true }),
  );
  assert(["response.completed", "response.incomplete"].includes(events.at(-1).type));
}

async function vector(more) {
  const found = await client.embeddings.create({ model: embedder, input: "Hi", ...more });
  assert(found.data[0].embedding.length > 9);
}

const calls = {
  chat: () => chat.create(short),
  "chat, stream": () => all(chat.create({ ...short, stream: true })),
  "chat, stream helper": runner,
  "chat, parse": parsed,
  "chat, tools": () => chat.create({ ...short, tools: [tool] }),
  "chat, a forced tool, stream": streamedCall,
  "chat, store": () => chat.create({ ...short, store: true }),
  completions: () => client.completions.create({ model, prompt: "Hi", max_tokens: 4 }),
  responses: () => client.responses.create({ model, input: "Hi", max_output_tokens: 16 }),
  "responses, stream": itemStream,
  embeddings: () => vector({}),
  "embeddings, dimensions": () => vector({ dimensions: 8 }),
  models: () => all(client.models.list()),
};

const outcomes = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
    outcomes[name] = "works";
  } catch (error) {
    const isRefused = error.status >= 400 && error.status < 500;
    outcomes[name] = isRefused ? `refused: ${error.message}` : `error: ${error.name}: ${error.message}`;
  }
}
const version = require("openai/version").VERSION;
console.log(JSON.stringify({ "npm:openai": { version, calls: outcomes } }));
