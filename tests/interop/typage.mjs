// npm's age-encryption at the command line.
// usage: node typage.mjs NODE_MODULES keygen | encrypt RECIPIENTS IN OUT [-a] | decrypt IDENTITIES IN
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, verb, keys, input, output, armor] = process.argv.slice(2);
const age = await import(pathToFileURL(join(modules, "age-encryption/dist/index.js")));
const lines = () => readFileSync(keys, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));

if (verb === "keygen") {
  const identity = await age.generateIdentity();
  process.stdout.write(`# public key: ${await age.identityToRecipient(identity)}\n${identity}\n`);
} else if (verb === "encrypt") {
  const encrypter = new age.Encrypter();
  lines().forEach((line) => encrypter.addRecipient(line));
  const file = await encrypter.encrypt(readFileSync(input));
  writeFileSync(output, armor ? age.armor.encode(file) : file);
} else {
  const decrypter = new age.Decrypter();
  lines().forEach((line) => decrypter.addIdentity(line));
  process.stdout.write(await decrypter.decrypt(age.armor.decode(readFileSync(input, "utf8"))));
}
