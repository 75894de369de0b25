import { defineConfig } from 'vitest/config'
import { ClosingLine } from './services/api/test/closing-line.ts'

// Two workers for two cores: most tests wait for Postgres, not for each other.
export default defineConfig({
  test: {
    include: [
      'services/**/*.test.ts',
      'prisma/**/*.test.ts',
      'sdk/**/*.test.ts',
      'docs/**/*.test.ts',
    ],
    globalSetup: ['services/api/test/global-setup.ts'],
    reporters: ['default', new ClosingLine()],
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
