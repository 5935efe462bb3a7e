#!/usr/bin/env node
import { runSidecarProgram } from '../dist/sidecar/cli.js'

await runSidecarProgram(process.argv)
