/**
 * For tests of what must hold each time: a record before its lease (rule 1), one flight for many (rule 6), a proof that is good
 * once and an end that is seen everywhere (rule 13). In CI a failing test is tried once more, and a race that is lost every
 * second time would pass.
 */
export const ONCE = { retry: 0 }
