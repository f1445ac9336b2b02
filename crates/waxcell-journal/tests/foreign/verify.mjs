// Checks proofs for entries of a log with npm's @sigstore/verify: `node verify.mjs MODULES DIR VKEY PROOF...`.
//
// MODULES is the folder `node_modules` that has it. The signature of each checkpoint and the way from the entry in the
// log's bundle to the root are checked by the package; what is written here finds the files and takes them apart.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const WIDTH = 256;

// The package tells how Ed25519 keys begin as SubjectPublicKeyInfo (RFC 8410).
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function logOf(vkey) {
  const [name, id, ...rest] = vkey.split('+');
  const key = Buffer.from(rest.join('+'), 'base64');
  if (key.length !== 33 || key[0] !== 1) throw new Error('the key is not one of Ed25519');
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, key.subarray(1)]), format: 'der', type: 'spki' });
  return { logID: Buffer.from(id, 'hex'), baseURL: name, publicKey };
}

function pathOf(index) {
  let digits = String(index);
  digits = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const parts = digits.match(/.{3}/g);
  return parts.map((part, at) => (at + 1 < parts.length ? `x${part}` : part)).join('/');
}

function entryOf(directory, index, size) {
  const tile = Math.floor(index / WIDTH);
  const count = Math.min(WIDTH, size - tile * WIDTH);
  const name = pathOf(tile) + (count === WIDTH ? '' : `.p/${count}`);
  let bundle = readFileSync(join(directory, 'tile/entries', name));
  for (let entry = tile * WIDTH; ; entry++) {
    const end = 2 + bundle.readUInt16BE(0);
    if (entry === index) return bundle.subarray(2, end);
    bundle = bundle.subarray(end);
  }
}

function check(sigstore, directory, log, file) {
  const text = readFileSync(file, 'utf8');
  const split = text.indexOf('\n\n');
  const [first, ...lines] = text.slice(0, split).split('\n').filter((line) => !line.startsWith('extra '));
  if (first !== 'c2sp.org/tlog-proof@v1') throw new Error('not a tlog-proof');
  const logIndex = lines[0].replace('index ', '');
  const hashes = lines.slice(1).map((line) => Buffer.from(line, 'base64'));
  const entry = { inclusionProof: { logIndex, hashes, checkpoint: { envelope: text.slice(split + 2) } } };
  const checkpoint = sigstore.verifyCheckpoint(entry, [log]);
  if (checkpoint.origin !== log.baseURL) throw new Error(`the checkpoint is not one of ${log.baseURL}`);
  entry.canonicalizedBody = entryOf(directory, Number(logIndex), Number(checkpoint.logSize));
  sigstore.verifyMerkleInclusion(entry, checkpoint);
  return Number(checkpoint.logSize);
}

const [modules, directory, vkey, ...proofs] = process.argv.slice(2);
try {
  if (proofs.length === 0) throw new Error('usage: verify.mjs MODULES DIR VKEY PROOF...');
  const require = createRequire(join(resolve(modules), 'x.js'));
  const sigstore = {
    ...require('@sigstore/verify/dist/tlog/checkpoint.js'),
    ...require('@sigstore/verify/dist/tlog/merkle.js'),
  };
  const log = logOf(vkey);
  const sizes = proofs.map((proof) => check(sigstore, directory, log, proof));
  console.log('OK', Math.max(...sizes));
} catch (error) {
  console.log('FAIL', error.message);
  process.exitCode = 1;
}
