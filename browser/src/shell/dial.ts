/** Answers ready-made offers: every connection is prepared in parallel, all answers leave together. */

import type { Answer } from '../core/generated/Answer';
import type { Offer } from '../core/generated/Offer';
import { wait } from './clock';
import { ANSWER_GATHER_MS } from './limits';
import { answerOffer, closeLink, gathered } from './link';
import type { Link } from './link';

/**
 * Makes the answers to `offers`, the n-th on the n-th link, once every link has a first candidate or none came in time: a seeder
 * finds us by our checks even without. They go as SDP text, which the server makes compact: the loader is spared the code. A link whose offer is unusable is closed and has no answer.
 */
export async function answersTo(offers: readonly Offer[], links: readonly Link[]): Promise<Answer[]> {
  await Promise.all(offers.map(({ description }, at) => answerOffer(links[at]!, description).catch(() => closeLink(links[at]!))));
  await Promise.race([wait(ANSWER_GATHER_MS), Promise.all(links.map((link) => gathered(link, false)))]);
  return links.flatMap(({ pc, peer, offer }) => {
    const sdp = pc.localDescription?.sdp;
    return sdp ? [{ peer, offer, description: sdp }] : [];
  });
}
