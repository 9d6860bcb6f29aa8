// Asks the consumers that are written in JavaScript, and Node itself: `node.mjs CONSUMER FOLDER`, where the folder is
// that of the installed packages. The form of the answers is described in answer.py.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import fs from "node:fs";
import path from "node:path";
import util from "node:util";
import { pathToFileURL } from "node:url";

const [consumer, folder] = process.argv.slice(2);
const require = createRequire(path.join(folder, "none.js"));
for (const name of Object.keys(process.env)) delete process.env[name];

const dotenv = (version) => {
  const { config } = require(`dotenv-${version}`);
  return (file) => {
    const { parsed, error } = config({ path: file, processEnv: {}, quiet: true });
    if (error) throw error;
    return parsed;
  };
};

const expand = (version, parse) => {
  const { expand } = require(`dotenv-expand-${version}`);
  return (file) => {
    const { parsed, error } = expand({ parsed: parse(file), processEnv: {} });
    if (error) throw error;
    return parsed;
  };
};

const consumers = {
  "dotenv-16": () => dotenv(16),
  "dotenv-17": () => dotenv(17),
  "dotenv-18": () => dotenv(18),
  "dotenv-expand-12": () => expand(12, dotenv(16)),
  "dotenv-expand-1000": () => expand(1000, dotenv(18)),
  vite: async () => {
    const entry = path.join(folder, "node_modules/vite/dist/node/index.js");
    const { loadEnv } = await import(pathToFileURL(entry));
    return (file) => loadEnv("development", path.dirname(file), "");
  },
  "parse-env": () => (file) => util.parseEnv(fs.readFileSync(file, "utf8")),
  // A process of its own for each file, which says what is set in it.
  "env-file": () => (file) => {
    const say = "process.stdout.write(JSON.stringify(process.env))";
    const { status, stdout, stderr } = spawnSync(process.execPath, [`--env-file=${file}`, "-e", say], { env: {} });
    if (status !== 0) throw new Error(String(stderr));
    return JSON.parse(stdout);
  },
  json: () => (file) => {
    const document = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fs.readFileSync(file)));
    for (const [name, value] of Object.entries(document)) {
      if (typeof value !== "string") throw new TypeError(`${name} is no string`);
    }
    return document;
  },
};

const read = await consumers[consumer]();
const hex = (text) => Buffer.from(text, "utf8").toString("hex");
const answer = (file) => {
  try {
    return ["ok", ...Object.entries(read(file)).map(([name, value]) => `${hex(name)}=${hex(value)}`)].join(" ");
  } catch (failure) {
    return `err ${String(failure).split(/\s+/).join(" ").slice(0, 300)}`;
  }
};
const files = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);
process.stdout.write(files.map((file) => `${answer(file)}\n`).join(""));
