// Unpacks age's published test vectors (npm cctv-age) into a folder: NAME.head, its header lines, and NAME.age.
// usage: node vectors.mjs NODE_MODULES FOLDER
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inflateSync } from "node:zlib";

const [modules, folder] = process.argv.slice(2);
const vectors = createRequire(join(modules, "x.js"))("cctv-age");
for (const [name, vector] of Object.entries(vectors)) {
  const bytes = Buffer.from(vector);
  const end = bytes.indexOf("\n\n");
  const head = bytes.subarray(0, end + 1).toString("utf8");
  const body = bytes.subarray(end + 2);
  writeFileSync(join(folder, `${name}.head`), head);
  writeFileSync(join(folder, `${name}.age`), head.includes("compressed: zlib\n") ? inflateSync(body) : body);
}
