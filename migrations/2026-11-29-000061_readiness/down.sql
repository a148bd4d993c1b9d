drop table readiness;
