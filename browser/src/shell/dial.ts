/** Answers ready-made offers: every connection is prepared in parallel, all answers leave together. */

import type { Answer } from '../core/generated/Answer';
import type { Offer } from '../core/generated/Offer';
import { wait } from './clock';
import { ANSWER_GATHER_MS } from './limits';
import { answerOffer, closeLink, gathered, localDescription } from './link';
import type { Link } from './link';

/**
 * Makes the answers to `offers`, the n-th on the n-th link, once every link has a first candidate or none came in time: a seeder
 * finds us by our checks even without. A link whose offer is unusable is closed and has no answer.
 */
export async function answersTo(offers: readonly Offer[], links: readonly Link[]): Promise<Answer[]> {
  const prepared = await Promise.all(
    links.map(async (link, at) => {
      const offer = offers[at];
      if (!offer) return [];
      try {
        await answerOffer(link, offer.description);
        return [{ link, offer }];
      } catch {
        closeLink(link);
        return [];
      }
    }),
  );
  const usable = prepared.flat();
  await Promise.race([wait(ANSWER_GATHER_MS), Promise.all(usable.map(({ link }) => gathered(link, false)))]);
  return usable.flatMap(({ link, offer }) => {
    const description = localDescription(link);
    return description ? [{ peer: offer.peer, offer: offer.offer, description }] : [];
  });
}
