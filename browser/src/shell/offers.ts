/** Ready-made offers: connections that wait, gathered, for somebody to answer them. */

import type { ReadyOffer } from '../core/generated/ReadyOffer';
import { OFFERS_PER_PEER_MAX } from '../core/limits';
import { NatBelief, natOf } from '../core/nat';
import { wait } from './clock';
import { FAR_GATHER_MS, OFFER_GATHER_MS } from './limits';
import { closeLink, gathered, localDescription, sdpOf } from './link';
import type { Link } from './link';

/** The offers nobody answered yet. */
export class Offers {
  readonly #ready = new Map<number, Link>();
  /** What this browser is behind, as far as its offers showed. */
  readonly nat = new NatBelief();

  /** Makes an offer of each new link, all at once; the oldest ones beyond the limit are withdrawn. */
  async make(links: readonly Link[]): Promise<ReadyOffer[]> {
    for (const link of links) this.#ready.set(link.offer, link);
    for (const [offer, link] of this.#ready) {
      if (this.#ready.size <= OFFERS_PER_PEER_MAX) break;
      this.#ready.delete(offer);
      closeLink(link);
    }
    const made = await Promise.all(
      links.map(async (link) => {
        try {
          await link.pc.setLocalDescription();
          await Promise.race([gathered(link, true), wait(link.far ? FAR_GATHER_MS : OFFER_GATHER_MS)]);
        } catch {
          this.#ready.delete(link.offer);
        }
        const description = this.#ready.has(link.offer) ? localDescription(link) : null;
        return description ? [{ offer: link.offer, description }] : [];
      }),
    );
    const kinds = links.map(({ pc }) => (pc.iceGatheringState === 'complete' ? natOf(sdpOf(pc)) : null));
    this.nat.note(kinds);
    return made.flat();
  }

  /** Takes the link of an offer that was answered. */
  take(offer: number): Link | undefined {
    const link = this.#ready.get(offer);
    this.#ready.delete(offer);
    return link;
  }

  /** Withdraws all of them. */
  clear(): void {
    for (const link of this.#ready.values()) closeLink(link);
    this.#ready.clear();
  }
}
