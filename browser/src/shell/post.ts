/** Posts JSON to our own endpoints. */

import { request } from './request';

/** The server's answer. */
export function post(url: string, body: unknown): Promise<Response> {
  return request(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** True if the server took it. An offer that is gone (410) does not speak against the others. */
export async function postJson(url: string, body: unknown): Promise<boolean> {
  try {
    const { ok, status } = await post(url, body);
    return ok || status === 410;
  } catch {
    return false;
  }
}
