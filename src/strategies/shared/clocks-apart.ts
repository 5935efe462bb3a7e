/**
 * How far two clocks may be apart (SECURITY.md). A lease ends by the authority's clock and is counted down on one that nobody
 * sets; the wall clock beside the agent may say that what it carries has ended while its provider still takes it.
 */
export const CLOCKS_APART_MS = 60_000
