import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { type PeopleRequestKind, type StaffRole, staff_roles } from '../base/schema.ts';
import { nameOf, requestRef } from './requests.ts';

export interface StaffMember {
  who: string;
  /** 254…; empty where they have none. */
  phone: string;
  roles: StaffRole[];
  /** An admin by the configuration. */
  configured: boolean;
  /** Whether they have confirmed one-time codes. */
  codes: boolean;
}

/** A request that waits for an admin. */
export interface Waiting {
  ref: string;
  kind: PeopleRequestKind;
  asked_by: string;
}

/** Who works here, and what waits for an admin; each oldest first. */
export async function listStaff(db: Db): Promise<{ staff: StaffMember[]; requests: Waiting[] }> {
  const { rows } = await sql<Pick<StaffMember, 'roles' | 'configured' | 'codes'> & { id: bigint }>`
    select r.person_id as id, array_agg(r.role order by r.role) as roles,
      bool_or(r.by_configuration) as configured,
      exists (select from one_time_codes c
              where c.person_id = r.person_id and c.generation is not null) as codes
    from roles r where r.role = any(${staff_roles}::text[])
    group by r.person_id order by r.person_id
  `.execute(db);
  const staff = [];
  for (const { id, ...row } of rows) staff.push({ ...(await nameOf(db, id)), ...row });
  const { rows: waiting } = await sql<{ id: bigint; kind: PeopleRequestKind; asked_by: bigint }>`
    select id, kind, asked_by from people_requests
    where state = 'waiting' and expires_at > now() order by id
  `.execute(db);
  const requests = [];
  for (const { id, kind, asked_by } of waiting) {
    requests.push({ ref: requestRef(id), kind, asked_by: (await nameOf(db, asked_by)).who });
  }
  return { staff, requests };
}
