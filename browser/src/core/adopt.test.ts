import { describe, expect, it } from 'vitest';
import { owner } from './adopt';

const page = (id: string, asset?: string, refers = false) => ({ page: id, asset, refers });

describe('the owner of a worker whose script nobody saw', () => {
  it('is the only page that runs a manifest', () => {
    expect(owner([page('a')], false)).toBe('a');
    expect(owner([], false)).toBeNull();
  });
  it('is the page that the referrer names', () => {
    expect(owner([page('a', 'd1', true), page('b', 'd2')], true)).toBe('a');
  });
  it('is nobody where a page that runs no manifest may have made it', () => {
    expect(owner([page('a', 'd1')], true)).toBeNull();
  });
  it('is any of several that would give the same bytes', () => {
    expect(owner([page('a', 'd1'), page('b', 'd1')], false)).toBe('a');
    expect(owner([page('a'), page('b')], false)).toBe('a');
  });
  it('is nobody where they would give different ones', () => {
    expect(owner([page('a', 'd1'), page('b', 'd2')], false)).toBeNull();
    expect(owner([page('a', 'd1', true), page('b', 'd2', true)], false)).toBeNull();
  });
});
