import { describe, expect, it } from 'vitest';
import { Assembly } from './assembly';
import type { AssetRecord } from './manifest';

const digest = (name: string): string => name.padEnd(64, '0');
const id = (name: string): string => digest(name).slice(0, 32);
const bytes = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from([...name].map((letter) => letter.charCodeAt(0)));
const asset = (path: string, ...names: string[]): AssetRecord => ({
  path,
  mediaType: 'text/plain',
  headers: [],
  len: names.join('').length,
  digest: digest(`f${path.length}`),
  pieces: names.map((name) => ({ len: name.length, digest: digest(name) })),
});
const text = (parts: readonly Uint8Array[]): string => parts.map((part) => String.fromCharCode(...part)).join('');

describe('assembly', () => {
  it('gives an asset back once its last piece came, in the order of its record', () => {
    const assembly = new Assembly();
    expect(assembly.add(asset('/x', 'a', 'b'))).toBeNull();
    expect(assembly.handlePiece(id('b'), bytes('b'))).toEqual([]);
    expect(assembly.handlePiece(id('a'), bytes('a')).map((whole) => text(whole.parts))).toEqual(['ab']);
  });
  it('gives an empty asset back at once', () => {
    expect(new Assembly().add(asset('/empty'))?.parts).toEqual([]);
  });
  it('uses a piece that occurs twice in an asset, and in two assets', () => {
    const assembly = new Assembly();
    assembly.add(asset('/x', 'a', 'b', 'a'));
    assembly.add(asset('/yy', 'a'));
    expect(assembly.handlePiece(id('a'), bytes('a')).map((whole) => whole.record.path)).toEqual(['/yy']);
    expect(assembly.handlePiece(id('b'), bytes('b')).map((whole) => text(whole.parts))).toEqual(['aba']);
  });
  it('ignores pieces that came before or belong to nothing, and keeps no bytes of finished assets', () => {
    const assembly = new Assembly();
    assembly.add(asset('/x', 'a', 'b'));
    assembly.handlePiece(id('a'), bytes('a'));
    expect(assembly.handlePiece(id('a'), bytes('a'))).toEqual([]);
    expect(assembly.handlePiece(id('c'), bytes('c'))).toEqual([]);
    expect(assembly.bytes(id('a'))).toBeDefined();
    assembly.handlePiece(id('b'), bytes('b'));
    expect(assembly.bytes(id('a'))).toBeUndefined();
  });
});
