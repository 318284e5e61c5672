// Calls of @segment/analytics-node; the last argument is the address to send to.
import { Analytics } from '@segment/analytics-node'

const analytics = new Analytics({ writeKey: 'capture', host: process.argv.at(-1), maxEventsInBatch: 4 })
analytics.identify({
  userId: 'u-eve',
  traits: {
    email: 'Eve@Example.com', name: 'Eve <b>Dummy</b>', createdAt: new Date('2026-01-31T10:00:00Z'),
    'favourite.colour': 'green', newsletter: false, logins: 7,
  },
  integrations: { All: false, Intercom: { unsubscribedFromEmails: true } },
})
analytics.track({ userId: 'u-eve', event: 'Song Played', properties: { length: 215, live: true, url: 'https://example.com/song' } })
analytics.track({ userId: 'u-eve', event: 'Order Completed', properties: { total: 5000, currency: 'JPY', price: 'premium' } })
analytics.group({ userId: 'u-eve', groupId: 'c-node', traits: { name: 'Node & Sons', employees: 3, plan: 'free' } })
analytics.track({ anonymousId: 'anon-9', event: 'Visited', properties: {} })
analytics.identify({ anonymousId: 'anon-9', traits: { email: 'visitor@example.com' } })
analytics.page({ userId: 'u-eve', category: 'Docs', name: 'Start', properties: { path: '/start' } })
analytics.screen({ userId: 'u-eve', name: 'Home' })
analytics.alias({ userId: 'u-eve', previousId: 'anon-9' })
analytics.track({ userId: 'u-eve', event: 'Not for Intercom', integrations: { All: false } })
await analytics.closeAndFlush()
