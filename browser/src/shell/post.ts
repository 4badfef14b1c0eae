/** Posts JSON to our own endpoints. */

import { request } from './request';

/** True if the server took it. An offer that is gone (410) does not speak against the others. */
export async function postJson(url: string, body: unknown): Promise<boolean> {
  try {
    const { ok, status } = await request(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return ok || status === 410;
  } catch {
    return false;
  }
}
