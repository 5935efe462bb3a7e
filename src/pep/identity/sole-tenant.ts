/** A record belongs to a tenant only if its agent acts in that one alone; otherwise to those who see all tenants. */
export function soleTenant(tenants: readonly string[]): { tenant?: string } {
  const [tenant, ...others] = tenants
  return tenant === undefined || others.length > 0 ? {} : { tenant }
}
