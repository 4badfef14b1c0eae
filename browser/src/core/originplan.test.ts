import { describe, expect, it } from 'vitest';
import type { AssetRecord } from './manifest';
import { OriginPlanner, WHOLE_LEN_MIN } from './originplan';

const digest = (name: string): string => name.padEnd(64, '0');
const id = (name: string): string => digest(name).slice(0, 32);
const asset = (path: string, len: number, ...names: string[]): AssetRecord => ({
  path,
  mediaType: 'text/plain',
  headers: [],
  len: len * names.length,
  digest: digest(`f${path}`),
  pieces: names.map((name) => ({ len, digest: digest(name) })),
});
const big = asset('/big', WHOLE_LEN_MIN / 4, 'a', 'b', 'c', 'd');
const small = asset('/small', 100, 'e');

function planner(): OriginPlanner {
  const made = new OriginPlanner();
  made.add(big);
  made.add(small);
  return made;
}
const none = (): boolean => false;

describe('the plan for the origin', () => {
  it('takes a missing asset whole and small ones as pieces', () => {
    expect(planner().plan([id('a'), id('b'), id('e')], none, false)).toEqual({ whole: [big], ids: [id('e')] });
  });
  it('takes pieces one by one while peers deliver', () => {
    expect(planner().plan([id('a'), id('e')], none, true)).toEqual({ whole: [], ids: [id('a'), id('e')] });
  });
  it('takes an asset whole up to a quarter held, not beyond', () => {
    expect(planner().plan([id('b')], (other) => other === id('a'), false).whole).toEqual([big]);
    expect(planner().plan([id('c')], (other) => other === id('a') || other === id('b'), false).ids).toEqual([id('c')]);
  });
  it('never asks again for a whole asset that turned out to be of another version', () => {
    const made = planner();
    made.handleMismatch('/big');
    expect(made.plan([id('a')], none, false)).toEqual({ whole: [], ids: [id('a')] });
  });
  it('passes on ids of pieces it does not know', () => {
    expect(planner().plan([id('z')], none, false)).toEqual({ whole: [], ids: [id('z')] });
  });
});
