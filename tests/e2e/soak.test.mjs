// soak.test.mjs - the short form of tests/e2e/soak: the way back under faults, some hundred messages and three kills.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from './lib/soak.mjs';

test('under faults and kills every message has its one receipt and nothing is stuck', async (t) => {
  const result = await soak({ messages: 900, incoming: 100, kills: 3, seed: 7, say: (line) => t.diagnostic(line) });
  t.diagnostic(JSON.stringify({ ...result, repeated: result.repeated.length }));
  assert.deepEqual(result.faults, []);
});
