/** How the loader brings in the script of a crowd: that script has what only somebody needs who gives while it still takes. */

import type { Totals } from '../core/counts';
import type { ThinBoot } from '../core/generated/ThinBoot';
import type { Report } from '../core/session/report';
import { CROWD } from './carrier';
import type { got } from './download';
import type { EngineDriver } from './handover';
import type { LinkHandler } from './link';
import type { Seeder } from './seeder';

/** What the script of a crowd began: the addition goes on with it. */
export interface CrowdSession {
  seeder?: Seeder;
  report?: Report;
}

/** What the loader leaves to the script of a crowd. */
export interface CrowdStart {
  readonly boot: ThinBoot;
  readonly engineDriver: EngineDriver;
  readonly got: typeof got;
  readonly totals: Totals;
  /** Of one connection: takes parts of the manifest, and pieces that come before it. */
  handlerOf(): LinkHandler;
  /** Asks the origin for the manifest now. */
  askManifest(): void;
  readonly session: CrowdSession;
}

/** Asks for the script; `failed` if it does not come or is another one. */
export function join(start: CrowdStart, failed: () => void): void {
  (window as { [CROWD]?: CrowdStart })[CROWD] = start;
  const script = Object.assign(document.createElement('script'), start.boot.script);
  script.onerror = failed;
  document.head.append(script);
}

/** What the loader left; a second caller finds none. */
export function takeStart(): CrowdStart | undefined {
  const carrier = window as { [CROWD]?: CrowdStart };
  const start = carrier[CROWD];
  delete carrier[CROWD];
  return start;
}
