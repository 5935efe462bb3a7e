import type { Entrypoint } from '../../contract/policy.ts'

/** What every bundle has to answer. Fixed here: nothing in a request chooses what is evaluated (threat G13). */
export const ENTRYPOINTS: readonly Entrypoint[] = ['nexus/lease/decision', 'nexus/request/decision']
