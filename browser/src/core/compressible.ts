/** Whether the pieces of an asset are worth compressing before they are sent. */

const COMPRESSIBLE = /^(text\/|image\/svg|font\/(ttf|otf)|application\/([\w.+-]*(json|xml|javascript|ecmascript|wasm)|vnd\.ms-fontobject|x-font-ttf))/;

/** True of text, code and the like by its media type. Images, archives and unknown types travel as they are. */
export function compressible(mediaType: string): boolean {
  return COMPRESSIBLE.test(mediaType.toLowerCase());
}

/** Compressed bytes are only worth inflating if they save at least a tenth. */
export function worthCompressing(rawLen: number, compressedLen: number): boolean {
  return compressedLen * 10 <= rawLen * 9;
}
