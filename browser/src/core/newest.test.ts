import { describe, expect, it } from 'vitest';
import { Newest } from './newest';

/** Everything that waits for nothing more has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Work that ends when it is told to. */
function slow() {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const newest = new Newest<string>((value) => {
    begun.push(value);
    return new Promise((resolve) => ends.push(resolve));
  });
  return { newest, begun, ends };
}

describe('a value that changes while it is worked on', () => {
  it('is worked on once the work on the earlier one is over, never beside it', async () => {
    const { newest, begun, ends } = slow();
    const first = newest.put('a');
    await newest.put('b');
    expect([begun, newest.outdated]).toEqual([['a'], true]);
    ends.shift()?.();
    await settled();
    expect([begun, newest.outdated]).toEqual([['a', 'b'], false]);
    ends.shift()?.();
    await first;
    void newest.put('c');
    expect(begun).toEqual(['a', 'b', 'c']);
  });
  it('is worked on though the work on the earlier one failed', async () => {
    const begun: string[] = [];
    const newest = new Newest<string>((value) => {
      begun.push(value);
      return value === 'a' ? Promise.reject(new Error('no')) : Promise.resolve();
    });
    const first = newest.put('a');
    void newest.put('b');
    await first;
    await newest.put('c');
    expect(begun).toEqual(['a', 'b', 'c']);
  });
  it('is left out when a newer one comes before its turn', async () => {
    const { newest, begun, ends } = slow();
    const first = newest.put('a');
    void newest.put('b');
    void newest.put('c');
    ends.shift()?.();
    await settled();
    ends.shift()?.();
    await first;
    expect(begun).toEqual(['a', 'c']);
  });
});
