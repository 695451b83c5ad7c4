// A folder of vectors → what each one holds, a JSON line a file: docs/format.md in JavaScript.
//
// Written from docs/format.md alone, over libsodium's own wrappers; it shares no code with luggage.
// The config module's grammar (§4) is Python's own: tests/decoder.py is the second reader of that.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sodium from "libsodium-wrappers";

await sodium.ready;

class Refused extends Error {}

function check(condition, reason) {
  if (!condition) throw new Refused(reason);
}

const utf8 = new TextEncoder();

/** Strict: no byte order mark is taken off, and nothing is replaced. */
function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function same(one, two) {
  return one.length === two.length && one.every((byte, at) => byte === two[at]);
}

function concat(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Big-endian, of any length: 64 bits do not fit a Number. */
function integer(bytes) {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const blake = (bytes) => sodium.crypto_generichash(32, bytes);

// §1.1

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function base64(bytes) {
  return Buffer.from(bytes).toString("base64url");
}

function unbase64(coded) {
  check(/^[A-Za-z0-9_-]*$/.test(coded) && !coded.includes("\n") && coded.length % 4 !== 1, "shape");
  const bytes = new Uint8Array(Math.floor((coded.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of coded) {
    bits = ((bits << 6) | ALPHABET.indexOf(letter)) & 0xfff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 0xff;
    }
  }
  check((bits & ((1 << held) - 1)) === 0, "shape");
  return bytes;
}

// §2

function checkVersion(coded) {
  const found = /^lug(?:pub|key|bundle|sign|verify)([0-9]+)\./.exec(coded);
  check(found === null || found[1] === "1", "version");
}

function keyBytes(coded, prefix) {
  checkVersion(coded);
  check(coded.startsWith(prefix) && coded.length === prefix.length + 48, "shape");
  const data = unbase64(coded.slice(prefix.length));
  const raw = data.slice(0, 32);
  check(same(blake(concat(utf8.encode(prefix), raw)).slice(0, 4), data.slice(32)), "checksum");
  return raw;
}

function publicKey(coded) {
  const raw = keyBytes(coded, "lugpub1.");
  check(integer(raw.slice().reverse()) < 2n ** 255n - 19n, "public-key");
  const one = new Uint8Array(32);
  one[0] = 1;
  let shared = new Uint8Array(32);
  try {
    shared = sodium.crypto_scalarmult(one, raw);
  } catch {
    // libsodium refuses to give 32 zero bytes
  }
  check(!same(shared, new Uint8Array(32)), "public-key");
  return raw;
}

const privateKey = (coded) => keyBytes(coded, "lugkey1.");
const signingKey = (coded) => keyBytes(coded, "lugsign1.");
const verifyKey = (coded) => keyBytes(coded, "lugverify1.");
const verifyOf = (seed) => sodium.crypto_sign_seed_keypair(seed).publicKey;
const publicOf = (secret) => sodium.crypto_scalarmult_base(secret);
const keyId = (raw) => base64(blake(raw).slice(0, 8));

function publicText(raw) {
  return `lugpub1.${base64(concat(raw, blake(concat(utf8.encode("lugpub1."), raw)).slice(0, 4)))}`;
}

// §3

class Reader {
  constructor(bytes) {
    this.rest = bytes;
  }

  take(size) {
    check(this.rest.length >= size, "payload");
    const taken = this.rest.slice(0, size);
    this.rest = this.rest.slice(size);
    return taken;
  }

  field() {
    return this.take(Number(integer(this.take(4))));
  }
}

function startsWith(bytes, start) {
  return same(bytes.slice(0, start.length), start);
}

function envelope(coded, asked) {
  const raw = publicKey(asked["public-key"]);
  check([...coded].length <= 90_000, "size");
  if (!coded.startsWith("lug1.")) {
    check(!/^lug[0-9]+\./.test(coded), "version");
    throw new Refused("plaintext");
  }
  const parts = coded.split(".");
  check(parts.length === 3 && parts[1].length === 11, "shape");
  unbase64(parts[1]);
  const box = unbase64(parts[2]);
  check(parts[1] === keyId(raw), "key-id");
  const secret = privateKey(asked.key);
  check(same(publicOf(secret), raw), "no-match");
  let payload;
  try {
    payload = sodium.crypto_box_seal_open(box, raw, secret);
  } catch {
    throw new Refused("box");
  }
  const label = utf8.encode("luggage-secret-v1\n");
  if (!startsWith(payload, label)) {
    check(!startsWith(payload, utf8.encode("luggage-secret-v")), "version");
    throw new Refused("payload");
  }
  const reader = new Reader(payload.slice(label.length));
  const found = Array.from({ length: 7 }, () => reader.field());
  check(found[6].length <= 65_536, "payload");
  const padding = reader.rest;
  check(payload.length % 64 === 0 && padding.length < 64, "payload");
  check(same(padding, new Uint8Array(padding.length)), "payload");
  const epoch = new Uint8Array(8);
  new DataView(epoch.buffer).setBigUint64(0, BigInt(asked.epoch));
  const wanted = [asked.project, asked.environment, asked.name].map((word) => utf8.encode(word));
  wanted.push(raw, epoch);
  check(wanted.every((bytes, at) => same(bytes, found[at])), "context");
  const type = ["text", "bytes", "json", "url"].find((it) => same(utf8.encode(it), found[5]));
  check(type !== undefined, "type");
  checkValue(type, found[6]);
  return { type, value: Buffer.from(found[6]).toString("hex") };
}

function checkValue(type, bytes) {
  if (type === "bytes") return;
  if (type === "url") {
    const url = String.fromCharCode(...bytes);
    check(/^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(url) && !url.endsWith("\n"), "value");
    return;
  }
  let decoded;
  try {
    decoded = text(bytes);
  } catch {
    throw new Refused("value");
  }
  if (type === "json") new Json(decoded).whole();
}

/** RFC 8259 with the limits of §3.2. JSON.parse would keep the last of two members, and round. */
class Json {
  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found === null) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  need(pattern) {
    const found = this.match(pattern);
    check(found !== null, "value");
    return found;
  }

  space() {
    this.match(/[ \t\n\r]*/y);
  }

  whole() {
    this.value(0);
    check(this.at === this.source.length, "value");
  }

  value(depth) {
    this.space();
    if (this.match(/\{/y)) this.members(depth + 1);
    else if (this.match(/\[/y)) this.items(depth + 1);
    else if (this.source[this.at] === '"') this.string();
    else if (!this.match(/(?:true|false|null)/y)) this.number();
    this.space();
  }

  items(depth) {
    check(depth <= 64, "value");
    this.space();
    if (this.match(/\]/y)) return;
    do this.value(depth);
    while (this.match(/,/y));
    this.need(/\]/y);
  }

  members(depth) {
    check(depth <= 64, "value");
    const names = new Set();
    this.space();
    if (this.match(/\}/y)) return;
    do {
      this.space();
      const name = this.string();
      check(!names.has(name), "value");
      names.add(name);
      this.space();
      this.need(/:/y);
      this.value(depth);
    } while (this.match(/,/y));
    this.need(/\}/y);
  }

  string() {
    const raw = this.need(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/uy);
    const found = JSON.parse(raw);
    check(!/\p{Surrogate}/u.test(found), "value");
    return found;
  }

  number() {
    const found = this.need(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (/^-?[0-9]+$/.test(found)) check(found.replace("-", "").length <= 300, "value");
    else check(Number.isFinite(Number(found)), "value");
  }
}

// §5

function bundle(coded) {
  check([...coded].length <= 4096, "size");
  checkVersion(coded);
  check(coded.startsWith("lugbundle1."), "shape");
  const data = unbase64(coded.slice(11));
  check(data.length >= 4, "checksum");
  const payload = data.slice(0, -4);
  const digest = blake(concat(utf8.encode("lugbundle1."), payload));
  check(same(digest.slice(0, 4), data.slice(-4)), "checksum");
  const label = utf8.encode("luggage-bundle-v1\n");
  if (!startsWith(payload, label)) {
    check(!startsWith(payload, utf8.encode("luggage-bundle-v")), "version");
    throw new Refused("payload");
  }
  const reader = new Reader(payload.slice(label.length));
  const found = { 1: [], 2: [], 3: [] };
  let last = 1;
  while (reader.rest.length > 0) {
    const tag = reader.take(1)[0];
    check(tag >= last && tag <= 3, "payload");
    last = tag;
    const value = reader.field();
    check(value.length === (tag === 3 ? 8 : 32), "payload");
    found[tag].push(value);
  }
  check(found[1].length >= 1 && found[1].length <= 8, "payload");
  check(found[2].length <= 1 && found[2].length === found[3].length, "payload");
  const keys = found[1].map(publicOf);
  for (let at = 1; at < keys.length; at++) {
    check(integer(keys[at - 1]) < integer(keys[at]), "payload");
  }
  const facts = { "public-key": keys.map(publicText).join(" ") };
  if (found[2].length === 1) {
    const serial = integer(found[3][0]);
    check(serial >= 1n && serial < 2n ** 63n, "payload");
    facts["verify-key"] = Buffer.from(found[2][0]).toString("hex");
    facts["minimum-serial"] = serial.toString();
  }
  return facts;
}

// §6, §8

/** Numbers as JSON has them, so that none is rounded: a NUL before their digits, as no text has. */
function members(body, kind) {
  check(body.length <= 16 * 2 ** 20, "size");
  const ascii = Buffer.from(body).toString("latin1");
  let found;
  try {
    found = JSON.parse(
      ascii.replace(/"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/gs, (token) =>
        token[0] === '"' ? token : JSON.stringify(`\0${JSON.parse(token) === 0 ? 0 : token}`),
      ),
    );
  } catch {
    throw new Refused(kind);
  }
  const version = isObject(found) ? found.format : null;
  check(typeof version === "string" && version.startsWith(`luggage-${kind}-v`), kind);
  check(version === `luggage-${kind}-v1`, "version");
  return found;
}

const isObject = (found) => typeof found === "object" && found !== null && !Array.isArray(found);

/** By code point: JavaScript's own order is that of UTF-16. */
function before(one, two) {
  const [a, b] = [one, two].map((it) => Array.from(it, (letter) => letter.codePointAt(0)));
  for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}

function canonical(found) {
  if (found === null || typeof found === "boolean") return String(found);
  if (typeof found === "string") return found[0] === "\0" ? found.slice(1) : quoted(found);
  if (Array.isArray(found)) return `[${found.map(canonical).join(",")}]`;
  const names = Object.keys(found).sort(before);
  return `{${names.map((name) => `${quoted(name)}:${canonical(found[name])}`).join(",")}}`;
}

function quoted(found) {
  const units = Array.from({ length: found.length }, (_, at) => found.charCodeAt(at));
  const letters = units.map((unit) => {
    if (unit > 0x7e) return `\\u${unit.toString(16).padStart(4, "0")}`;
    return unit === 0x22 ? '\\"' : String.fromCharCode(unit);
  });
  return `"${letters.join("")}"`;
}

const HEX = /^[0-9a-f]{64}$/;
const PLACE = /^[a-z][a-z0-9-]{0,62}$/;
const PACKAGE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}$/;
const SERIAL = /^\0[1-9][0-9]{0,18}$/;
const PART = "(?!\\.{1,2}(?:/|$))[^/\\\\\\u0000-\\u001f\\u007f-\\u009f\\p{Surrogate}]+";
const PATH = new RegExp(`^${PART}(?:/${PART})*$`, "u");
const STRINGS = {
  project: PLACE,
  entry: /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/,
  python: /^(?:(?:0|[1-9][0-9]{0,8})(?:\.(?!$)|(?=$|a|b|rc|\+))){3}(?:(?:a|b|rc)(?:0|[1-9][0-9]{0,8}))?\+?$/,
  platform: /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
  lock: HEX,
};
const WHEEL = {
  name: PACKAGE,
  version: VERSION,
  file: /^[A-Za-z0-9_.!+]+(?:-[A-Za-z0-9_.!+]+){4,5}\.whl$/,
  sha256: HEX,
};

function strings(found, patterns, kind) {
  for (const [name, pattern] of Object.entries(patterns)) {
    check(typeof found[name] === "string" && pattern.test(found[name]), kind);
  }
}

function table(found, name, value, kind) {
  check(isObject(found), kind);
  for (const [one, two] of Object.entries(found)) {
    check(name.test(one) && typeof two === "string" && value.test(two), kind);
  }
}

function exactly(found, names, kind) {
  check(isObject(found) && same(Object.keys(found).sort(), [...names].sort()), kind);
}

function manifestMembers(found, kind) {
  const others = ["format", "commit", "dirty", "tools", "wheels", "files", "sealed", "serial"];
  exactly(found, [...Object.keys(STRINGS), ...others], kind);
  check(found.format === "luggage-manifest-v1", kind);
  strings(found, STRINGS, kind);
  check(typeof found.dirty === "boolean", kind);
  if (found.commit === null) check(found.dirty, kind);
  else strings(found, { commit: /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/ }, kind);
  if (found.serial !== null) {
    strings(found, { serial: SERIAL }, kind);
    check(BigInt(found.serial.slice(1)) < 2n ** 63n, kind);
  }
  table(found.tools, PACKAGE, VERSION, kind);
  check(Array.isArray(found.wheels), kind);
  for (const wheel of found.wheels) {
    exactly(wheel, Object.keys(WHEEL), kind);
    strings(wheel, WHEEL, kind);
  }
  const names = found.wheels.map((wheel) => wheel.name);
  check(names.every((name, at) => at === 0 || before(names[at - 1], name) < 0), kind);
  table(found.files, PATH, HEX, kind);
  check(!Object.hasOwn(found.files, "luggage-manifest.json"), kind);
  check(isObject(found.sealed), kind);
  for (const [environment, sealed] of Object.entries(found.sealed)) {
    check(PLACE.test(environment), kind);
    table(sealed, /^[A-Z][A-Z0-9_]{0,62}$/, HEX, kind);
  }
}

function rewritten(found, body, kind) {
  check(`${canonical(found)}\n` === Buffer.from(body).toString("latin1"), kind);
}

const size = (found) => Object.keys(found).length;

function manifest(body) {
  const found = members(body, "manifest");
  manifestMembers(found, "manifest");
  rewritten(found, body, "manifest");
  const sealed = Object.values(found.sealed).reduce((sum, it) => sum + size(it), 0);
  return { lists: `${size(found.files)} ${found.wheels.length} ${sealed}` };
}

function seal(body) {
  const found = members(body, "seal");
  exactly(found, ["format", "manifest", "pex", "layers", "debian", "sbom"], "seal");
  manifestMembers(found.manifest, "seal");
  strings(found, { pex: HEX }, "seal");
  table(found.layers, PLACE, HEX, "seal");
  table(found.debian, /^[a-z0-9][a-z0-9+.-]{1,127}$/, /^[0-9][A-Za-z0-9.+:~-]{0,127}$/, "seal");
  table(found.sbom, /^(?:pex|image)$/, HEX, "seal");
  const layers = size(found.layers) > 0;
  check("pex" in found.sbom && "image" in found.sbom === layers, "seal");
  check(layers || size(found.debian) === 0, "seal");
  rewritten(found, body, "seal");
  return { lists: `${size(found.layers)} ${size(found.debian)} ${size(found.sbom)}` };
}

// §7

const COUNT = "(?:0|[1-9][0-9]{0,18})";
const LINE = new RegExp(
  `^\\./([!-~]+) type=(?:(dir)|(file)|(link)) mode=[0-7]{4} uid=${COUNT} gid=${COUNT}` +
    `(?: size=${COUNT} sha256digest=[0-9a-f]{64}| link=([!-~]+))?$`,
);

function unescaped(coded) {
  const bytes = [];
  for (let at = 0; at < coded.length; at++) {
    let byte = coded.charCodeAt(at);
    const escaped = byte === 0x5c;
    if (escaped) {
      const digits = coded.slice(at + 1, at + 4);
      check(/^[0-3][0-7]{2}$/.test(digits), "listing");
      byte = parseInt(digits, 8);
      at += 3;
    }
    const must = byte < 0x21 || byte > 0x7e || "#*=?[\\".includes(String.fromCharCode(byte));
    check(escaped === must, "listing");
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

function listing(body) {
  check(body.length <= 16 * 2 ** 20, "size");
  const lines = Buffer.from(body).toString("latin1").split("\n");
  check(lines.shift() === "#mtree" && lines.pop() === "", "listing");
  const counts = [0, 0, 0];
  let last = Buffer.alloc(0);
  for (const line of lines) {
    const found = LINE.exec(line);
    check(found !== null, "listing");
    const path = unescaped(found[1]);
    const parts = path.toString("latin1").split("/");
    check(!path.includes(0) && !parts.some((part) => ["", ".", ".."].includes(part)), "listing");
    check(Buffer.compare(last, path) < 0, "listing");
    last = path;
    const kind = found.slice(2, 5).findIndex((it) => it !== undefined);
    check((kind === 1) === line.includes(" size="), "listing");
    check((kind === 2) === (found[5] !== undefined), "listing");
    if (kind === 2) unescaped(found[5]);
    counts[kind]++;
  }
  return { lists: counts.join(" ") };
}

// §9

function signature(body, asked) {
  const signed = Uint8Array.from(Buffer.from(asked.signature, "hex"));
  const key = Uint8Array.from(Buffer.from(asked["verify-key"], "hex"));
  check(signed.length === 64, "signature");
  check(sodium.crypto_sign_verify_detached(signed, Uint8Array.from(body), key), "signature");
  return {};
}

// §11

function read(bytes) {
  const end = bytes.indexOf("\n\n");
  const words = bytes.subarray(0, end).toString("latin1").split("\n");
  const head = Object.fromEntries(words.map((word) => word.split(/: (.*)/s).slice(0, 2)));
  return [head, bytes.subarray(end + 2)];
}

function facts(head, body) {
  if (head.kind === "manifest") return manifest(body);
  if (head.kind === "seal") return seal(body);
  if (head.kind === "listing") return listing(body);
  if (head.kind === "signature") return signature(body, head);
  const coded = text(body);
  if (head.kind === "key" && ["signing", "verify"].includes(head.wanted)) {
    const raw = head.wanted === "verify" ? verifyKey(coded) : verifyOf(signingKey(coded));
    return { "verify-key": Buffer.from(raw).toString("hex"), "key-id": keyId(raw) };
  }
  if (head.kind === "envelope") return envelope(coded, head);
  if (head.kind === "bundle") return bundle(coded);
  const raw = head.wanted === "public" ? publicKey(coded) : publicOf(privateKey(coded));
  return { "public-key": publicText(raw), "key-id": keyId(raw) };
}

function outcome(head, body) {
  try {
    return { outcome: "success", ...facts(head, body) };
  } catch (error) {
    if (error instanceof Refused) return { outcome: error.message };
    throw error;
  }
}

const folder = process.argv[2];
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".txt")) continue;
  const [head, body] = read(readFileSync(join(folder, file)));
  if (head.kind !== "config") console.log(JSON.stringify({ file, ...outcome(head, body) }));
}
