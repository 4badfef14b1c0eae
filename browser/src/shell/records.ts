/** Asks the origin for the records of assets that the page's manifest does not have. */

import { decodeManifest } from '../core/manifest';
import type { AssetRecord } from '../core/manifest';
import { post } from './post';

/** The records that the origin has for some of `paths`; throws if it cannot be reached. */
export async function askRecords(paths: readonly string[]): Promise<readonly AssetRecord[]> {
  const response = await post('/.viral/record', { paths });
  const decoded = decodeManifest(new Uint8Array(await response.arrayBuffer()));
  return decoded.ok ? decoded.value.assets : [];
}
