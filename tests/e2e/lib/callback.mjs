// callback.mjs - callbacks as the aggregator writes them [smsc-api 17]: form, XML, JSON; charsets; hashes.
import crypto from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const iconv = require('iconv-lite');
import zlib from 'node:zlib';

function hashText(hash, bytes) {
  if (hash === 'crc32') return String(zlib.crc32(bytes) >>> 0);
  return crypto.createHash(hash).update(bytes).digest('hex');
}

/** The parameters of one event, in order, with the hash over the documented string in the bytes of the charset. */
export function signed(params, { hash = 'sha1', secret = 'secret', charset = 'utf-8' } = {}) {
  if (!hash || hash === 'none') return params;
  const of =
    'mes' in params
      ? [params.phone, params.mes, params.to]
      : 'waitcall' in params
        ? [params.phone, params.ts]
        : [params.id, params.phone, params.status];
  return { ...params, [hash]: hashText(hash, iconv.encode([...of, secret].join(':'), charset)) };
}

function urlEncode(bytes) {
  return [...bytes].map((b) => (/[A-Za-z0-9_.-]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : `%${b.toString(16).padStart(2, '0')}`)).join('');
}

/** Body and Content-Type. */
export function written(params, { format = 'form', charset = 'utf-8' } = {}) {
  if (format === 'json') return { body: iconv.encode(JSON.stringify(params), charset), type: 'application/json' };
  if (format === 'xml') {
    const escape = (v) => String(v).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
    const members = Object.entries(params).map(([k, v]) => `<${k}>${escape(v)}</${k}>`);
    const text = `<?xml version="1.0" encoding="${charset}"?>\n<request>\n${members.join('\n')}\n</request>`;
    return { body: iconv.encode(text, charset), type: 'text/xml' };
  }
  const pairs = Object.entries(params).map(([k, v]) => `${k}=${urlEncode(iconv.encode(String(v), charset))}`);
  return { body: pairs.join('&'), type: 'application/x-www-form-urlencoded' };
}

/** Posts one event; the HTTP status. */
export async function callBack(url, params, options = {}) {
  const { body, type } = written(options.unsigned ? params : signed(params, options), options);
  const reply = await fetch(url, { method: 'POST', body, headers: { 'Content-Type': type }, signal: options.signal });
  await reply.arrayBuffer();
  return reply.status;
}

export const now = () => Math.floor(Date.now() / 1000);
