// Seals each credential of the store with the new key. What has it already is left, so it may be run again.
'use strict';
const { load, open, save, seal } = require('./parts');

const { CREDENTIAL_ENCRYPTION_KEY_OLD, CREDENTIAL_ENCRYPTION_KEY_NEW } = process.env;
const opens = (sealed, key) => {
  try {
    return open(sealed, key);
  } catch {
    return undefined;
  }
};
const store = load();
for (const [name, sealed] of Object.entries(store)) {
  if (opens(sealed, CREDENTIAL_ENCRYPTION_KEY_NEW) !== undefined) continue;
  store[name] = seal(open(sealed, CREDENTIAL_ENCRYPTION_KEY_OLD), CREDENTIAL_ENCRYPTION_KEY_NEW);
}
save(store);
