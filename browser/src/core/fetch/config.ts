/** Every number of the fetch engine's policy, as in Rust, and what may differ between two engines. */

export * from '../generated/fetchPolicy';

/** What may differ between two engines. */
export interface FetchConfig {
  /** Seed of the jitter: 32 bits. */
  readonly seed: number;
}
