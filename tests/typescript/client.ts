// What a frontend would write. It is only compiled: a contract that loses a type, a field or a status breaks it.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Problem = components["schemas"]["Problem"];
type Appointment = components["schemas"]["Appointment"];
type Patient = components["schemas"]["Patient"];
type PatientPage = components["schemas"]["PatientPage"];

const api = createClient<paths>({ baseUrl: "https://practice.example" });

export async function logIn(username: string, password: string): Promise<string> {
  const { data, error } = await api.POST("/api/v1/auth/token", {
    body: { grant_type: "password", username, password },
  });
  if (data === undefined) throw refused(error);
  return data.access_token;
}

export async function everyPatient(search: string): Promise<Patient[]> {
  const found: Patient[] = [];
  let cursor: string | null = null;
  do {
    const page: PatientPage = await patientPage(search, cursor);
    found.push(...page.results);
    cursor = page.next === null ? null : new URL(page.next).searchParams.get("cursor");
  } while (cursor !== null);
  return found;
}

async function patientPage(search: string, cursor: string | null): Promise<PatientPage> {
  const { data, error } = await api.GET("/api/v1/patients", {
    params: { query: cursor === null ? { search, page_size: 200 } : { search, page_size: 200, cursor } },
  });
  if (data === undefined) throw refused(error);
  return data;
}

export async function book(key: string, patient: string, type: string, location: string): Promise<Appointment> {
  const { data, error, response } = await api.POST("/api/v1/appointments", {
    params: { header: { "Idempotency-Key": key } },
    body: { patient, appointment_type: type, location, any_provider: true, start: "2027-03-15T09:00:00-04:00" },
  });
  if (data === undefined) throw refused(error);
  if (!("id" in data)) throw new Error("Only a dry run answers without an appointment.");
  const tag: string | null = response.headers.get("ETag");
  return checkIn(data.id, tag ?? `"${data.version}"`);
}

export async function checkIn(id: string, tag: string): Promise<Appointment> {
  const { data, error } = await api.POST("/api/v1/appointments/{id}/check-in", {
    params: { path: { id }, header: { "If-Match": tag } },
  });
  if (data === undefined) throw refused(error);
  const patient: string = data.patient.family_name ?? "";
  const starts: string | null = data.start;
  return patient && starts ? data : data;
}

export async function rename(id: string, family_name: string): Promise<void> {
  await api.PATCH("/api/v1/patients/{id}", { params: { path: { id } }, body: { family_name } });
  const tooMuch: components["schemas"]["PatchedPatientUpdateRequest"] = {
    family_name,
    // @ts-expect-error -- fields that the server sets can't be sent
    version: 2,
  };
  await api.PATCH("/api/v1/patients/{id}", { params: { path: { id } }, body: tooMuch });
  // @ts-expect-error -- unknown parameters are refused
  await api.GET("/api/v1/patients", { params: { query: { sort: "name" } } });
  // @ts-expect-error -- a status out of the list only
  await api.GET("/api/v1/appointments", { params: { query: { status: "rescheduled" } } });
}

function refused(problem: Problem): Error {
  const fields: string[] = problem.errors.map((error) => `${error.pointer}: ${error.detail}`);
  return new Error(`${problem.code} ${problem.detail} ${fields.join("; ")} (${problem.request_id})`);
}
