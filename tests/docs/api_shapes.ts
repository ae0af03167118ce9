/** The shapes of the admin API's answers, for their JSON schemas. */

export type {
  AccountsView,
  CapacityView,
  CurvesView,
  ErrorView,
  GlanceView,
  HealthView,
  LinkView,
  StatusView,
} from "../../src/control/protocol.ts";
export type { ExplainView } from "../../src/control/explain_view.ts";
export type { QuotaView } from "../../src/control/history/quota_view.ts";
export type { TurnsView } from "../../src/control/history/turns_view.ts";
export type { ReportView } from "../../src/control/history/report_view.ts";
export type { SimulationView } from "../../src/control/history/simulation_view.ts";
export type { ApiCallView } from "../../src/control/routes.ts";
