/** Answers ready-made offers: every connection is prepared in parallel, all answers leave together. */

import type { Answer } from '../core/generated/Answer';
import type { Offer } from '../core/generated/Offer';
import { RELEASE_WAIT_MS } from '../core/generated/sessionPolicy';
import { wait } from './clock';
import { ANSWER_GATHER_MS } from './limits';
import { answerOffer, closeLink, gathered, reach, sdpOf } from './link';
import type { Link } from './link';

/** Told of links, and of the answers made on them. Resolves once those left for the other ends, if anybody tells. */
type Send = (links: readonly Link[], answers: Answer[]) => unknown;

/**
 * Makes the answers to `offers`, the n-th on the n-th link, and has them sent once every link has a first candidate or none came in time: a seeder
 * finds us by our checks even without. Those of other networks follow once the server said how it sees us, which a NAT's other side must know; those nearby do not wait for that.
 * They go as SDP text, which the server makes compact: the loader is spared the code. A link whose offer is unusable is closed and has no answer.
 */
export async function answersTo(offers: readonly Offer[], links: readonly Link[], send: Send): Promise<void> {
  await Promise.all(offers.map((offer, at) => answerOffer(links[at]!, offer).catch(() => closeLink(links[at]!))));
  const late = wait(ANSWER_GATHER_MS);
  await Promise.all(
    [false, true].map(async (far) => {
      const group = links.filter((link) => link.far === far);
      await Promise.race([late, Promise.all(group.map((link) => gathered(link, false)))]);
      const answers = group.flatMap(({ pc, peer, offer }) => {
        const sdp = sdpOf(pc);
        return sdp ? [{ peer, offer, description: sdp }] : [];
      });
      // Whoever hears nothing dials.
      await Promise.race([send(group, answers), wait(RELEASE_WAIT_MS)]);
      group.forEach(reach);
    }),
  );
}
