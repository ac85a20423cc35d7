-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION goose() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DELETE FROM customers WHERE id = 1; END $$;
-- +goose StatementEnd

-- +goose Down
DELETE FROM customers;
