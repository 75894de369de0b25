/**
 * What we use of node:http. An `import` of that module reads each of its exports, WebSocket too, and
 * with that loads Node's fetch, which nobody here needs: a twelfth of a start.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')
