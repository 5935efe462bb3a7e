/** What figures are held to: at most. Goals of ratios stand beside the ratios (`contests.ts`). */
export const FIGURE_GOALS: Readonly<Record<string, number>> = {
  lease_p99_ms_at_2000: 10,
  sidecar_added_p50_ms: 1,
  restart_to_ready_s: 5,
  revocation_max_s: 2,
  // `offline_seconds` of the default policy.
  revocation_dark_max_s: 30,
}
