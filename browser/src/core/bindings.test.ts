import { describe, expect, it } from 'vitest';
import { Bindings } from './bindings';

describe('bindings of the service worker', () => {
  it('know the manifest of a page, and nothing of others', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p');
    expect(bindings.manifestOf('c1')).toBe('m1');
    expect(bindings.manifestOf('c2')).toBeUndefined();
    expect(bindings.manifestOfPage('/p')).toBe('m1');
  });
  it('answer a reload once', () => {
    const bindings = new Bindings();
    bindings.bindReload('https://a.test/p?q', 'm1');
    expect(bindings.takeReload('https://a.test/p')).toBeUndefined();
    expect(bindings.takeReload('https://a.test/p?q')).toBe('m1');
    expect(bindings.takeReload('https://a.test/p?q')).toBeUndefined();
  });
  it('refuse a reload that never arrived, once, so that a page does not reload for ever', () => {
    const bindings = new Bindings();
    expect([1, 2, 3].map(() => bindings.bindReload('u', 'm1'))).toEqual([true, false, true]);
    expect(bindings.bindReload('u', 'm2')).toBe(true);
  });
  it('forget the oldest of reloads that never happened', () => {
    const bindings = new Bindings();
    for (let at = 0; at < 9; at++) bindings.bindReload(`u${at}`, 'm');
    expect(bindings.takeReload('u0')).toBeUndefined();
    expect(bindings.takeReload('u1')).toBe('m');
  });
  it('survive a restart of the worker', () => {
    const bindings = new Bindings();
    bindings.bind('c1', 'm1', '/p');
    bindings.bindReload('u', 'm2');
    bindings.setLive('c1', true);
    const again = new Bindings(JSON.parse(JSON.stringify(bindings.state())));
    expect([again.manifestOf('c1'), again.manifestOfPage('/p'), again.isLive('c1'), again.takeReload('u')]).toEqual(['m1', 'm1', true, 'm2']);
  });
  it('keep the last manifests, those of open pages and of pending reloads, and drop the rest', () => {
    const bindings = new Bindings();
    bindings.bind('open', 'm0', '/zero');
    for (const at of [1, 2, 3]) bindings.bind(`gone${at}`, `m${at}`, `/p${at}`);
    bindings.bindReload('u', 'm9');
    expect(bindings.prune(new Set(['open']), 2)).toEqual(new Set(['m0', 'm2', 'm3', 'm9']));
    expect(bindings.manifestOf('gone3')).toBeUndefined();
    expect(bindings.manifestOfPage('/p1')).toBeUndefined();
    expect(bindings.manifestOfPage('/p3')).toBe('m3');
  });
  it('no longer ask a page that said it has no peers, or is gone', () => {
    const bindings = new Bindings();
    bindings.setLive('a', true);
    bindings.setLive('b', true);
    bindings.setLive('b', false);
    bindings.prune(new Set(['b']), 8);
    expect([bindings.isLive('a'), bindings.isLive('b')]).toEqual([false, false]);
  });
});
