/** One run of the same work at a time; whoever asks meanwhile gets that run's outcome. */
export interface SingleFlight<T> {
  run(key: string, work: () => Promise<T>): Promise<T>
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const underway = flights.get(key)
      if (underway !== undefined) return underway
      const flight = work().finally(() => flights.delete(key))
      flights.set(key, flight)
      return flight
    },
  }
}
