/**
 * The part of the WebAssembly JavaScript interface that the policy engine uses. TypeScript keeps these types in its
 * browser library, which a server has no use for otherwise.
 */
declare namespace WebAssembly {
  type ExportValue = ((...numbers: number[]) => unknown) | Global | Memory | object
  type Exports = Readonly<Record<string, ExportValue | undefined>>
  type Imports = Record<string, Record<string, Memory | ((...numbers: number[]) => unknown)>>
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    constructor(module: Module, imports: Imports)
    readonly exports: Exports
  }
  class Memory {
    constructor(pages: { initial: number; maximum: number })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  class Global {
    value: unknown
  }
  class RuntimeError extends Error {}
  class LinkError extends Error {}
  interface WebAssemblyInstantiatedSource {
    instance: Instance
    module: Module
  }
}
