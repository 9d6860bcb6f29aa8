// What the parts of the stack share: session tokens, the store of credentials, the database.
'use strict';
const { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } = require('crypto');
const { execFileSync } = require('child_process');
const fs = require('fs');

const STORE = 'data/credentials.json';

/** Whether two texts are the same, in a time that doesn't tell. */
function same(a, b) {
  const [x, y] = [a, b].map((text) => createHmac('sha256', 'compare').update(String(text)).digest());
  return timingSafeEqual(x, y);
}

/** A token of RFC 7519, HS256. */
function sign(claims, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** The claims of a token that this secret signed and that hasn't expired, or nothing. */
function verified(token, secret) {
  const [head, body, mac] = String(token).split('.');
  if (!mac || !same(mac, createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url'))) return undefined;
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  return claims.exp > Date.now() / 1000 ? claims : undefined;
}

function seal(text, key) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64'), nonce);
  const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

/** What was sealed with this key; another key throws. */
function open(sealed, key) {
  const bytes = Buffer.from(sealed, 'base64');
  const cipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64'), bytes.subarray(0, 12));
  cipher.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([cipher.update(bytes.subarray(28)), cipher.final()]).toString();
}

const load = () => JSON.parse(fs.readFileSync(STORE));

/** Puts the store into place whole or not at all. */
function save(store) {
  const file = fs.openSync(`${STORE}.new`, 'w', 0o600);
  fs.writeSync(file, JSON.stringify(store));
  fs.fsyncSync(file);
  fs.closeSync(file);
  fs.renameSync(`${STORE}.new`, STORE);
}

/**
 * Rows of a query over a connection of its own. `given` are psql variables, by way of the environment. PGHOSTADDR and PGPORT
 * are the network: they say where the URL's host is.
 */
function query(url, sql, given = {}) {
  const { username, password, pathname } = new URL(url);
  const names = Object.keys(given);
  const env = {
    PATH: process.env.PATH,
    PGHOSTADDR: process.env.PGHOSTADDR,
    PGPORT: process.env.PGPORT,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    ...given,
  };
  const input = names.map((name) => `\\getenv ${name} ${name}\n`).join('') + sql;
  const stdio = ['pipe', 'pipe', 'inherit'];
  return execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1'], { env, input, stdio }).toString().trim();
}

module.exports = { STORE, load, open, query, same, save, seal, sign, verified };
