import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

/**
 * The address of the caller, as far as it can be believed. What a trusted proxy wrote may carry a
 * port, or be what the caller made up: then it is the proxy's own address that counts, so that nobody
 * becomes somebody else with every request.
 */
export function clientAddress({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string {
  if (isIP(ip) !== 0) return ip
  const bare = WITH_PORT.exec(ip)
    ?.slice(1)
    .find(part => part !== undefined)
  if (bare !== undefined && isIP(bare) !== 0) return bare
  return socket.remoteAddress ?? ''
}

const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):\d{1,5}$/
