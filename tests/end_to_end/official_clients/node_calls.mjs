// Makes calls of intercom-client 7: `node node_calls.mjs FOLDER`, where FOLDER is where npm installed it.
// Reads a JSON object per line from standard input, {url, token, name, people}, and answers each with one: {error}, empty when the
// call succeeded. The first line that it writes is the list of the names that it knows.

import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "package.json"));
const { IntercomClient } = require("intercom-client");

const FILTER = { field: "email", operator: "=", value: "ann@example.com" };
const EVENT = { event_name: "Sold", created_at: 1700000100, user_id: "u1", metadata: { order: "5" } };
const SUMMARY = { event_name: "Bought", count: 2, first: 1700000000, last: 1700000100 };
const COMPANY = { company_id: "new", name: "New", plan: "gold", size: 3, custom_attributes: { tier: "a" } };

// Reads every page of a list, so that the client's paging is used too.
async function pages(list) {
  const items = [];
  for await (const item of await list) items.push(item);
  return items;
}

const CALLS = {
  "admins.identify": (c) => c.admins.identify(),
  "admins.list": (c) => c.admins.list(),
  "admins.find": (c, p) => c.admins.find({ admin_id: Number(p.admin) }),
  "contacts.create": (c) => c.contacts.create({ external_id: "u9", email: "new@example.com", custom_attributes: { plan: "free" } }),
  "contacts.list": (c) => pages(c.contacts.list({ per_page: 1 })),
  "contacts.find": (c, p) => c.contacts.find({ contact_id: p.user }),
  "contacts.update": (c, p) => c.contacts.update({ contact_id: p.user, name: "Bea", owner_id: Number(p.admin) }),
  "contacts.delete": (c, p) => c.contacts.delete({ contact_id: p.user }),
  "contacts.search": (c) => pages(c.contacts.search({ query: FILTER, pagination: { per_page: 1 } })),
  "contacts.showContactByExternalId": (c) => c.contacts.showContactByExternalId({ external_id: "u1" }),
  "contacts.mergeLeadInUser": (c, p) => c.contacts.mergeLeadInUser({ from: p.lead, into: p.user }),
  "contacts.archive": (c, p) => c.contacts.archive({ contact_id: p.user }),
  "contacts.unarchive": (c, p) => c.contacts.unarchive({ contact_id: p.archived }),
  "contacts.blockContact": (c, p) => c.contacts.blockContact({ contact_id: p.lead }),
  "contacts.listAttachedCompanies": (c, p) => pages(c.contacts.listAttachedCompanies({ contact_id: p.user })),
  "contacts.listAttachedSegments": (c, p) => c.contacts.listAttachedSegments({ contact_id: p.user }),
  "contacts.listAttachedSubscriptions": (c, p) => c.contacts.listAttachedSubscriptions({ contact_id: p.user }),
  "contacts.listAttachedTags": (c, p) => c.contacts.listAttachedTags({ contact_id: p.user }),
  "contacts.attachSubscription": (c, p) => c.contacts.attachSubscription({ contact_id: p.lead, id: "91", consent_type: "opt_out" }),
  "contacts.detachSubscription": (c, p) => c.contacts.detachSubscription({ contact_id: p.user, subscription_id: "91" }),
  "companies.createOrUpdate": (c) => c.companies.createOrUpdate(COMPANY),
  "companies.retrieve": (c) => c.companies.retrieve({ company_id: "acme" }),
  "companies.list": (c) => pages(c.companies.list()),
  "companies.scroll": (c) => pages(c.companies.scroll()),
  "companies.find": (c, p) => c.companies.find({ company_id: p.company }),
  "companies.update": (c, p) => c.companies.update({ company_id: p.company, body: { name: "Acme 2", plan: "silver" } }),
  "companies.delete": (c, p) => c.companies.delete({ company_id: p.spare_company }),
  "companies.attachContact": (c, p) => c.companies.attachContact({ contact_id: p.lead, id: p.company }),
  "companies.detachContact": (c, p) => c.companies.detachContact({ contact_id: p.user, company_id: p.spare_company }),
  "companies.listAttachedContacts": (c, p) => c.companies.listAttachedContacts({ company_id: p.company }),
  "companies.listAttachedSegments": (c, p) => c.companies.listAttachedSegments({ company_id: p.company }),
  "events.create": (c) => c.events.create(EVENT),
  "events.list": (c) => c.events.list({ type: "user", user_id: "u1", summary: true }),
  "events.summaries": (c) => c.events.summaries({ user_id: "u1", event_summaries: SUMMARY }),
  "dataAttributes.create": (c) => c.dataAttributes.create({ name: "shoe", model: "contact", data_type: "string" }),
  "dataAttributes.list": (c) => c.dataAttributes.list({ model: "contact" }),
  "dataAttributes.update": (c, p) =>
    c.dataAttributes.update({ data_attribute_id: Number(p.attribute), body: { description: "Size of the ring" } }),
  "tags.create": (c) => c.tags.create({ name: "new" }),
  "tags.list": (c) => c.tags.list(),
  "tags.find": (c, p) => c.tags.find({ tag_id: p.tag }),
  "tags.delete": (c, p) => c.tags.delete({ tag_id: p.spare_tag }),
  "tags.tagContact": (c, p) => c.tags.tagContact({ contact_id: p.lead, id: p.tag }),
  "tags.untagContact": (c, p) => c.tags.untagContact({ contact_id: p.user, tag_id: p.tag }),
  "notes.create": (c, p) => c.notes.create({ contact_id: p.user, body: "Hello", admin_id: p.admin }),
  "notes.list": (c, p) => pages(c.notes.list({ contact_id: p.user })),
  "notes.find": (c, p) => c.notes.find({ note_id: Number(p.note) }),
  "segments.list": (c) => c.segments.list(),
  "segments.find": async (c) => c.segments.find({ segment_id: (await c.segments.list()).segments[0].id }),
  "subscriptionTypes.list": (c) => c.subscriptionTypes.list(),
  "visitors.find": (c) => c.visitors.find({ user_id: "v1" }),
  "visitors.update": (c) => c.visitors.update({ user_id: "v1", name: "Vic" }),
  "visitors.mergeToContact": (c) =>
    c.visitors.mergeToContact({ type: "user", user: { user_id: "u1" }, visitor: { user_id: "v1" } }),
};

console.log(JSON.stringify(Object.keys(CALLS)));
for await (const line of createInterface({ input: process.stdin })) {
  const { url, token, name, people } = JSON.parse(line);
  const client = new IntercomClient({ token, environment: url, maxRetries: 0 });
  let error = "";
  try {
    await CALLS[name](client, people);
  } catch (thrown) {
    error = `${thrown.name}: ${thrown.message}`;
  }
  console.log(JSON.stringify({ error }));
}
